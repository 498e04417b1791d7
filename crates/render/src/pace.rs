//! How many pixels a moving picture may have.

/// Keeps a moving picture at a pace that a hand can follow: where the adapter is too slow for all the pixels it draws fewer of
/// them, and the picture at rest has them all again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    wanted_ms: f64,
    step: usize,
    late: u32,
    early: u32,
    /// Pictures in time since the last step.
    in_time: u32,
    /// So many of them and more pixels are tried: where each picture waits for the screen nobody sees what they would cost.
    patience: u32,
    trying: bool,
}

/// Of a first try; each that fails is waited for twice as long.
const PATIENCE: u32 = 240;

/// Of the picture's width and height.
const SHARES: [f32; 4] = [1.0, 0.8, 0.64, 0.5];

impl Pace {
    /// Of none a second: every pixel, however long it takes.
    pub fn new(pictures_a_second: f64) -> Self {
        let wanted_ms = if pictures_a_second > 0.0 { 1000.0 / pictures_a_second.max(1.0) } else { f64::INFINITY };
        Self { wanted_ms, step: 0, late: 0, early: 0, in_time: 0, patience: PATIENCE, trying: false }
    }
    /// Of the width and the height of the next moving picture.
    pub fn share(&self) -> f32 {
        SHARES[self.step]
    }
    /// A moving picture took so long, drawn at [`Pace::share`].
    pub fn took(&mut self, ms: f64) {
        if !(ms > 0.0 && ms < 10_000.0) {
            return;
        }
        // One picture is an accident, two are a habit; upwards one is slower, or it would go to and fro.
        let more = self.step.checked_sub(1).map(|s| ms * f64::from(SHARES[s] / SHARES[self.step]).powi(2));
        self.late = if ms > self.wanted_ms * 1.1 { self.late + 1 } else { 0 };
        self.early = if more.is_some_and(|ms| ms < self.wanted_ms * 0.8) { self.early + 1 } else { 0 };
        self.in_time = if self.late == 0 { self.in_time + 1 } else { 0 };
        if self.trying && self.in_time >= PATIENCE / 4 {
            (self.trying, self.patience) = (false, PATIENCE);
        }
        if self.late >= 2 && self.step + 1 < SHARES.len() {
            if std::mem::take(&mut self.trying) {
                self.patience = (self.patience * 2).min(16 * PATIENCE);
            }
            (self.step, self.late, self.in_time) = (self.step + 1, 0, 0);
        } else if self.early >= 8 {
            (self.step, self.early, self.in_time) = (self.step - 1, 0, 0);
        } else if self.step > 0 && self.in_time >= self.patience {
            (self.step, self.in_time, self.trying) = (self.step - 1, 0, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An adapter whose picture takes `fixed` ms and `pixels` ms more at all its pixels.
    fn settles(pace: &mut Pace, fixed: f64, pixels: f64) -> (f32, usize) {
        let mut changes = 0;
        for _ in 0..200 {
            let before = pace.share();
            pace.took(fixed + pixels * f64::from(before).powi(2));
            changes += usize::from(pace.share() != before);
        }
        (pace.share(), changes)
    }

    #[test]
    fn it_finds_its_pace_and_stays() {
        let mut pace = Pace::new(10.0);
        assert_eq!(settles(&mut pace, 5.0, 20.0), (1.0, 0), "a fast adapter draws every pixel");
        let (share, changes) = settles(&mut pace, 20.0, 150.0);
        assert!(share < 1.0 && 20.0 + 150.0 * f64::from(share).powi(2) <= 110.0, "{share}");
        assert!(changes <= 3, "it went to and fro {changes} times");
        assert_eq!(settles(&mut pace, 5.0, 20.0).0, 1.0, "and finds back");
        assert_eq!(settles(&mut pace, 900.0, 900.0).0, 0.5, "the least is a half");
        assert_eq!(settles(&mut Pace::new(0.0), 900.0, 900.0), (1.0, 0), "no pace, every pixel");
        pace.took(f64::NAN);
        pace.took(60_000.0);
        assert_eq!(pace.share(), 0.5);
    }

    /// A screen of 60 pictures a second shows a picture that takes 9 ms every 16.7: a stutter must not cost pixels for good.
    #[test]
    fn behind_a_screen_it_finds_back_and_does_not_go_to_and_fro() {
        let screen = |cost: f64| (cost / (1000.0 / 60.0)).ceil() * (1000.0 / 60.0);
        let mut pace = Pace::new(60.0);
        [40.0, 40.0].iter().for_each(|ms| pace.took(*ms));
        assert!(pace.share() < 1.0, "it stuttered");
        assert_eq!(settles(&mut pace, screen(9.0), 0.0).0, 0.8, "nobody knows yet");
        settles(&mut pace, screen(9.0), 0.0);
        assert_eq!(pace.share(), 1.0, "it was tried");
        // Where all pixels cost too much the tries become rare: in two minutes of movement a few.
        let (mut changes, mut worst) = (0, Vec::new());
        for _ in 0..7200 {
            let before = pace.share();
            pace.took(screen(2.0 + 17.0 * f64::from(before).powi(2)));
            changes += usize::from(pace.share() != before);
            worst.push(before);
        }
        assert!(changes <= 11, "{changes}");
        assert!(worst.iter().filter(|s| **s == 1.0).count() <= 14, "of 7200 pictures");
    }
}
