//! Memory does not grow with the number of features: one plan and its largest network are in memory at a time. The only
//! test of its binary, for the system counts the memory of a process.

#![allow(clippy::unwrap_used)]

use strata_citygen::{City, Size};

/// What the crate promises for any size, MiB.
const BOUND_MIB: u64 = 256;

/// The most memory that this process ever had in use.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() / 1024
}

#[test]
fn ten_times_the_features_take_no_ten_times_the_memory() {
    let mut peaks = Vec::new();
    for asked in [100_000, 1_000_000] {
        let mut n = 0u64;
        City::new(Size::Features(asked), 42)
            .unwrap()
            .generate(&mut |_, _| {
                n += 1;
                Ok(())
            })
            .unwrap();
        assert!(n > asked / 2, "{n} for {asked}");
        peaks.push(peak_mib());
        println!("{n} features: {} MiB", peaks[peaks.len() - 1]);
    }
    assert!(peaks[1] < BOUND_MIB && peaks[1] < 4 * peaks[0].max(16), "{peaks:?} MiB");
}
