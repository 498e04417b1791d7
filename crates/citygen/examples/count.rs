//! What a size holds, how long it takes and how much memory: `count district|city|FEATURES [SEED]`.

use std::{error::Error, fs, time::Instant};
use strata_citygen::{City, Size};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let size = match args.next().as_deref() {
        None | Some("district") => Size::District,
        Some("city") => Size::City,
        Some(n) => Size::Features(n.parse()?),
    };
    let seed = args.next().map_or(Ok(42), |s| s.parse())?;
    let began = Instant::now();
    let (truth, _) = City::new(size, seed)?.generate(&mut |_, _| Ok(()))?;
    println!("{}", serde_json::to_string_pretty(&truth)?);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or("peak memory not known");
    eprintln!("{} features in {:.1} s, {peak}", truth.features, began.elapsed().as_secs_f64());
    Ok(())
}
