//! Why a finding was made, in both languages. The sentences are data (`data/rules/reasons.csv`): a check names one and
//! says what goes into its braces.

use crate::{qc::rules::by_id, rules::records};
use std::{
    collections::HashMap,
    fmt::{self, Display},
    sync::LazyLock,
};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reason {
    pub zh: String,
    pub en: String,
}

impl Reason {
    /// What a reader of files says in English; in Chinese its rule speaks.
    pub fn of_file(rule: &str, text: &str) -> Self {
        Self { zh: by_id(rule).map_or(text, |r| r.title_zh).into(), en: text.into() }
    }
}

impl Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}

static SENTENCES: LazyLock<HashMap<String, [String; 2]>> = LazyLock::new(|| {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/rules/reasons.csv"));
    let rows = records(text).unwrap_or_else(|e| unreachable!("data/rules/reasons.csv: {e}"));
    rows.into_iter().map(|r| (r["id"].clone(), [r["zh"].clone(), r["en"].clone()])).collect()
});

/// The sentence of that name; `{0}`, `{1}` … are `with`.
pub fn why(id: &str, with: &[&dyn Display]) -> Reason {
    let [zh, en] = SENTENCES.get(id).cloned().unwrap_or_else(|| [id.into(), id.into()]);
    let filled = |text: String| with.iter().enumerate().fold(text, |t, (i, v)| t.replace(&format!("{{{i}}}"), &v.to_string()));
    Reason { zh: filled(zh), en: filled(en) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// What the checks say stands in the table with as many braces as they fill, and nothing stands there that none says.
    #[test]
    fn every_reason_that_is_given_has_its_sentence() {
        let sources = [
            include_str!("qc/logic.rs"),
            include_str!("qc/drains.rs"),
            include_str!("qc/rows.rs"),
            include_str!("qc/mod.rs"),
            include_str!("qc/space.rs"),
            include_str!("consistency.rs"),
        ];
        let mut said = BTreeSet::new();
        for call in sources.iter().flat_map(|s| s.split("why(\"").skip(1)) {
            let (id, rest) = call.split_once('"').unwrap();
            let with = &rest[rest.find('[').unwrap() + 1..];
            let (mut deep, mut parts, mut any) = (0, 0, false);
            for c in with.chars() {
                match c {
                    ']' if deep == 0 => break,
                    '(' | '[' => deep += 1,
                    ')' | ']' => deep -= 1,
                    ',' if deep == 0 => parts += 1,
                    _ => any = true,
                }
            }
            let parts = parts + usize::from(any);
            let [zh, en] = SENTENCES.get(id).unwrap_or_else(|| panic!("no sentence {id}"));
            for text in [zh, en] {
                let braces: BTreeSet<usize> = text.split('{').skip(1).map(|t| t.split('}').next().unwrap().parse().unwrap()).collect();
                assert_eq!(braces, (0..parts).collect(), "{id}: {text}");
            }
            assert!(zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{id}: {zh}");
            said.insert(id.to_owned());
        }
        assert_eq!(said, SENTENCES.keys().cloned().collect(), "said and written differ");
    }

    #[test]
    fn braces_are_filled() {
        let r = why("same-place", &[&"WS1", &"WSPOINT", &7]);
        assert_eq!(r.en, "WS1 in WSPOINT row 7 is at the same place");
        assert_eq!(r.zh, "与 WS1（WSPOINT 第 7 行）在同一位置");
    }
}
