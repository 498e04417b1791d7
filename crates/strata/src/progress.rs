//! Long work shows how far it is: a bar with rate and time left on a terminal, plain lines elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

pub struct Progress {
    bar: ProgressBar,
    what: String,
    plain: bool,
    begun: Instant,
    told: Instant,
    /// Counted and not yet told to the bar, whose every step looks at the clock.
    untold: u64,
}

impl Progress {
    /// `total` 0 means unknown.
    pub fn new(what: &str, total: u64) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let bar = if total > 0 { ProgressBar::new(total) } else { ProgressBar::new_spinner() };
        bar.set_draw_target(if plain { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(8) });
        let template =
            if total > 0 { "{msg} {wide_bar} {pos}/{len} {per_sec} {eta} left" } else { "{msg} {spinner} {pos} {per_sec} {elapsed}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        if plain {
            eprintln!("{what} …");
        }
        Self { bar, what: what.to_owned(), plain, begun: Instant::now(), told: Instant::now(), untold: 0 }
    }
    pub fn add(&mut self, n: u64) {
        self.untold += n;
        if self.untold < 64 {
            return;
        }
        self.bar.inc(std::mem::take(&mut self.untold));
        if self.plain && self.told.elapsed() > Duration::from_secs(5) {
            self.told = Instant::now();
            let rate = self.bar.position() as f64 / self.begun.elapsed().as_secs_f64();
            match self.bar.length() {
                Some(total) => {
                    let left = total.saturating_sub(self.bar.position()) as f64 / rate.max(1e-9);
                    eprintln!("{}: {} of {total}, {rate:.0}/s, {left:.0} s left", self.what, self.bar.position());
                }
                None => eprintln!("{}: {}, {rate:.0}/s", self.what, self.bar.position()),
            }
        }
    }
    pub fn done(self) {
        let n = self.bar.position();
        self.bar.finish_and_clear();
        eprintln!("{}: {n} in {:.1} s", self.what, self.begun.elapsed().as_secs_f64());
    }
}

/// The most memory that this process ever had in use, where the system tells.
pub fn peak_memory_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? / 1024)
}
