//! What the helpers of the duels share.

use serde_json::{Value, json};
use std::time::Instant;

/// CPU seconds that all threads of this process have taken.
pub fn cpu_s() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds = threads.filter_map(|t| {
        let text = std::fs::read_to_string(t.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() / 1e9
}

/// An answer with what it took: `wall` and `cpu`, seconds.
pub fn timed<T>(f: impl FnOnce() -> T) -> (T, Value) {
    let (cpu, began) = (cpu_s(), Instant::now());
    let out = f();
    let wall = began.elapsed().as_secs_f64();
    (out, json!({ "wall": wall, "cpu": cpu_s() - cpu }))
}
