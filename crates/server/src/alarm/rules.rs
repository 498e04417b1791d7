//! Rules and what they say of a stream's readings. Nothing here knows a clock, a store or a network: `now` is an argument.
//!
//! A rule is a row of `data/rules/alarms.csv`: the quantity it is about (`*`: every one), a test with its threshold, a
//! window, level Ⅰ (gravest) to Ⅳ, and how sure it is. `below` and `above` hold when every reading of the last `window_s`
//! seconds lies beyond the threshold, and end when one comes back over `clear`. `fall` and `rise` hold when the newest
//! reading is that far from the highest or lowest of the window. `silence` holds when nothing has come for so long.

use std::collections::VecDeque;
use strata_model::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    Below,
    Above,
    Fall,
    Rise,
    Silence,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub id: String,
    /// The quantity's name; `None`: every quantity.
    pub kind: Option<String>,
    pub test: Test,
    /// In the stream's unit; not of `Silence`.
    pub threshold: f64,
    pub clear: f64,
    pub window_ms: i64,
    /// 1 (gravest) to 4.
    pub level: u8,
    pub confidence: f64,
    pub title_zh: String,
    pub title_en: String,
    pub source: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    pub at: Instant,
    pub value: f64,
}

/// What a rule says of a stream now.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It holds, for these readings.
    Holds(Vec<Reading>),
    /// It no longer holds.
    Over,
    /// Neither: an alarm that is raised stays, one that is not does not come.
    Open,
}

/// Readings shown as evidence at most.
const EVIDENCE: usize = 60;

/// Rows of the table; a row that cannot be read is an error that names it.
pub fn read(table: &str) -> Result<Vec<Rule>, String> {
    let mut out: Vec<Rule> = Vec::new();
    for (n, line) in table.lines().enumerate().skip(1).filter(|(_, l)| !l.trim().is_empty()) {
        let bad = |what: &str| format!("line {}: {what}", n + 1);
        let cells: Vec<&str> = line.splitn(11, ',').collect();
        let [id, kind, test, threshold, clear, window_s, level, confidence, title_zh, title_en, source] = cells[..] else {
            return Err(bad("eleven columns are wanted"));
        };
        let test = match test {
            "below" => Test::Below,
            "above" => Test::Above,
            "fall" => Test::Fall,
            "rise" => Test::Rise,
            "silence" => Test::Silence,
            _ => return Err(bad("the test is none of below, above, fall, rise, silence")),
        };
        let number = |text: &str, name: &str| {
            text.parse::<f64>().ok().filter(|v| v.is_finite()).ok_or_else(|| bad(&format!("{name} is not a number")))
        };
        let threshold = if test == Test::Silence { 0.0 } else { number(threshold, "threshold")? };
        let clear = if clear.is_empty() { threshold } else { number(clear, "clear")? };
        let window_s = number(window_s, "window_s")?;
        let needs_window = matches!(test, Test::Fall | Test::Rise | Test::Silence);
        if !(0.0..=86_400.0).contains(&window_s) || (needs_window && window_s == 0.0) {
            return Err(bad("the window is at most a day, and this test needs one"));
        }
        if (test == Test::Below && clear < threshold) || (test == Test::Above && clear > threshold) {
            return Err(bad("it would be over before it holds"));
        }
        let level =
            ["I", "II", "III", "IV"].iter().position(|l| *l == level).ok_or_else(|| bad("the level is none of I, II, III, IV"))? as u8 + 1;
        let confidence = number(confidence, "confidence")?;
        if !(0.0..=1.0).contains(&confidence) {
            return Err(bad("the confidence is not from 0 to 1"));
        }
        if out.iter().any(|r| r.id == id) {
            return Err(bad("the rule stands twice"));
        }
        out.push(Rule {
            id: id.into(),
            kind: (kind != "*").then(|| kind.into()),
            test,
            threshold,
            clear,
            window_ms: (window_s * 1000.0) as i64,
            level,
            confidence,
            title_zh: title_zh.into(),
            title_en: title_en.into(),
            source: source.into(),
        });
    }
    Ok(out)
}

impl Rule {
    pub fn is_about(&self, kind: &str) -> bool {
        self.kind.as_deref().is_none_or(|k| k == kind)
    }

    /// `readings`: of one stream, oldest first, as far back as any rule looks. `now` counts for silence alone.
    pub fn judge(&self, readings: &VecDeque<Reading>, now: Instant) -> Verdict {
        let Some(last) = readings.back() else { return Verdict::Open };
        let since = Instant(last.at.0 - self.window_ms);
        let window = || readings.iter().filter(|r| r.at >= since);
        match self.test {
            Test::Silence => {
                if now.0 - last.at.0 > self.window_ms {
                    Verdict::Holds(vec![*last])
                } else {
                    Verdict::Over
                }
            }
            Test::Below | Test::Above => {
                let beyond = |v: f64| if self.test == Test::Below { v < self.threshold } else { v > self.threshold };
                let back = if self.test == Test::Below { last.value >= self.clear } else { last.value <= self.clear };
                // The run of readings beyond, up to the newest, must have lasted as long as the window.
                let run: Vec<Reading> = readings.iter().rev().take_while(|r| beyond(r.value)).copied().collect();
                match run.last() {
                    Some(first) if last.at.0 - first.at.0 >= self.window_ms => Verdict::Holds(evidence(run.into_iter().rev().collect())),
                    _ if back => Verdict::Over,
                    _ => Verdict::Open,
                }
            }
            Test::Fall | Test::Rise => {
                let change = |r: &Reading| if self.test == Test::Fall { r.value - last.value } else { last.value - r.value };
                let most = window().map(change).fold(0.0, f64::max);
                if most >= self.threshold { Verdict::Holds(evidence(window().copied().collect())) } else { Verdict::Over }
            }
        }
    }
}

/// First, last and so many between.
fn evidence(all: Vec<Reading>) -> Vec<Reading> {
    let n = all.len();
    if n <= EVIDENCE { all } else { (0..EVIDENCE).filter_map(|i| all.get(i * (n - 1) / (EVIDENCE - 1)).copied()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(id: &str) -> Rule {
        let all = read(include_str!("../../../../data/rules/alarms.csv")).expect("the table is sound");
        all.into_iter().find(|r| r.id == id).expect("the rule is there")
    }
    fn minutes(values: &[f64]) -> VecDeque<Reading> {
        values.iter().enumerate().map(|(i, v)| Reading { at: Instant(i as i64 * 60_000), value: *v }).collect()
    }
    fn holds(rule: &Rule, values: &[f64]) -> Option<bool> {
        match rule.judge(&minutes(values), Instant(0)) {
            Verdict::Holds(_) => Some(true),
            Verdict::Over => Some(false),
            Verdict::Open => None,
        }
    }

    #[test]
    fn a_value_must_stay_beyond_for_the_whole_window() {
        let low = rule("pressure-low");
        assert_eq!(holds(&low, &[0.3, 0.09, 0.09, 0.09, 0.09, 0.09]), None, "four minutes");
        assert_eq!(holds(&low, &[0.3, 0.09, 0.09, 0.09, 0.09, 0.09, 0.09]), Some(true), "five minutes");
        assert_eq!(holds(&low, &[0.09, 0.09, 0.3, 0.09, 0.09, 0.09]), None, "a sound reading begins it anew");
        assert_eq!(holds(&low, &[0.09, 0.09, 0.09, 0.09, 0.09, 0.09, 0.11]), None, "back, but not by enough");
        assert_eq!(holds(&low, &[0.09, 0.09, 0.09, 0.09, 0.09, 0.09, 0.12]), Some(false));
        let gas = rule("methane-25");
        assert_eq!((holds(&gas, &[1.3]), holds(&gas, &[1.25]), holds(&gas, &[0.9])), (Some(true), None, Some(false)));
    }

    #[test]
    fn sudden_changes_are_told_from_slow_ones() {
        let drop = rule("pressure-drop");
        assert_eq!(holds(&drop, &[0.30, 0.31, 0.25]), Some(true));
        let slow: Vec<f64> = (0..60).map(|i| 0.40 - 0.005 * f64::from(i)).collect();
        assert_eq!(holds(&drop, &slow), Some(false), "0.05 in ten minutes");
        assert_eq!(holds(&drop, &[0.25, 0.31]), Some(false), "a rise is no fall");
        assert_eq!(holds(&rule("level-rise"), &[0.2, 0.5, 0.81]), Some(true));
    }

    #[test]
    fn silence_is_a_matter_of_the_clock() {
        let silent = rule("silent");
        let readings = minutes(&[1.0, 1.0]);
        assert_eq!(silent.judge(&readings, Instant(60_000 + 900_000)), Verdict::Over);
        assert_eq!(silent.judge(&readings, Instant(60_000 + 900_001)), Verdict::Holds(vec![readings[1]]));
        assert_eq!(silent.judge(&VecDeque::new(), Instant(i64::MAX)), Verdict::Open, "one that never spoke has not fallen silent");
        assert!(silent.is_about("压力") && !rule("methane-25").is_about("压力"));
    }

    #[test]
    fn evidence_is_bounded_and_keeps_its_ends() {
        let Verdict::Holds(e) = rule("pressure-low").judge(&minutes(&[0.05; 500]), Instant(0)) else { panic!("it holds") };
        assert_eq!((e.len(), e[0].at, e[EVIDENCE - 1].at), (EVIDENCE, Instant(0), Instant(499 * 60_000)));
    }

    #[test]
    fn a_row_that_says_nothing_sound_is_named() {
        let head = "rule,kind,test,threshold,clear,window_s,level,confidence,title_zh,title_en,source\n";
        for row in [
            "a,压力,near,1,1,1,I,0.5,x,x,x",
            "a,压力,below,one,1,1,I,0.5,x,x,x",
            "a,压力,below,NaN,1,1,I,0.5,x,x,x",
            "a,压力,below,1,0.5,1,I,0.5,x,x,x",
            "a,压力,above,1,2,1,I,0.5,x,x,x",
            "a,压力,fall,1,,0,I,0.5,x,x,x",
            "a,压力,below,1,1,1,V,0.5,x,x,x",
            "a,压力,below,1,1,1,I,1.5,x,x,x",
            "a,压力,below,1,1,1,I",
            "b,压力,below,1,1,1,I,0.5,x,x,x\nb,压力,below,1,1,1,I,0.5,x,x,x",
        ] {
            let e = read(&format!("{head}{row}")).expect_err(row);
            assert!(e.starts_with("line "), "{e}");
        }
    }
}
