//! A script of hands: what a test or a demonstration does with the window, one step a line.
//!
//! ```text
//! settle                 until nothing is missing and nothing moves
//! frames 10              draws so many frames
//! key u                  a key goes down and up; `hold w 2.5` keeps it down for seconds
//! drag left 120 -40      left: turning, right: over the ground; px
//! wheel 3                notches towards the pointer
//! resize 800x600
//! lose                   the device is destroyed, as a driver's reset would
//! shot A.png             the last picture
//! say                    prints what the window knows of itself, one JSON line
//! close
//! ```

use crate::RenderError;
use std::{collections::VecDeque, path::PathBuf};

#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Settle,
    Frames(u32),
    Key(String),
    Hold(String, f64),
    Drag { turning: bool, dx_px: f64, dy_px: f64 },
    Wheel(f64),
    Resize([u32; 2]),
    Lose,
    Shot(PathBuf),
    Say,
    Close,
}

pub type Script = VecDeque<Step>;

/// Lines that are empty or begin with `#` say nothing.
pub fn parse(text: &str) -> Result<Script, RenderError> {
    text.lines()
        .enumerate()
        .map(|(i, l)| (i + 1, l.trim()))
        .filter(|(_, l)| !l.is_empty() && !l.starts_with('#'))
        .map(|(line, l)| step(l).ok_or_else(|| RenderError::Script { line, reason: format!("`{l}` is no step") }))
        .collect()
}

fn step(line: &str) -> Option<Step> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = |w: &str| w.parse::<f64>().ok().filter(|v| v.is_finite());
    Some(match words[..] {
        ["settle"] => Step::Settle,
        ["frames", n] => Step::Frames(n.parse().ok()?),
        ["key", k] => Step::Key(k.into()),
        ["hold", k, s] => Step::Hold(k.into(), number(s).filter(|s| (0.0..=600.0).contains(s))?),
        ["drag", button @ ("left" | "right"), x, y] => Step::Drag { turning: button == "left", dx_px: number(x)?, dy_px: number(y)? },
        ["wheel", n] => Step::Wheel(number(n)?),
        ["resize", size] => {
            let (w, h) = size.split_once('x')?;
            Step::Resize([w.parse().ok()?, h.parse().ok()?])
        }
        ["lose"] => Step::Lose,
        ["shot", ..] => Step::Shot(line.strip_prefix("shot")?.trim().into()),
        ["say"] => Step::Say,
        ["close"] => Step::Close,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_and_a_slip_is_named_with_its_line() {
        let script = parse("# hands\nsettle\n\nkey ArrowLeft\ndrag left 10 -5.5\nresize 800x600\nshot a b.png\nclose").expect("a script");
        assert_eq!(script[1], Step::Key("ArrowLeft".into()));
        assert_eq!(script[2], Step::Drag { turning: true, dx_px: 10.0, dy_px: -5.5 });
        assert_eq!((&script[3], &script[4]), (&Step::Resize([800, 600]), &Step::Shot("a b.png".into())));
        for (text, line) in [("settle\nkeys u", "line 2"), ("hold w -1", "line 1"), ("\n\nresize 800", "line 3"), ("drag up 1 2", "line 1")]
        {
            let e = parse(text).expect_err(text).to_string();
            assert!(e.contains(line), "{e}");
        }
    }
}
