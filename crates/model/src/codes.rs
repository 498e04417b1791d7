//! The dictionaries of `data/codes` for surveys of pipes, compiled in: classes, materials, laying, state, headings,
//! words and 8-digit codes of points. CJJ 61-2017 appendices B and C; `data/codes/SOURCE.md` says how firm each is.

use crate::Instant;
use std::{collections::HashMap, sync::OnceLock};

/// PipeClass of a pipe: major (`JS`) and, where known, subclass (`JP`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PipeClass {
    pub major: &'static str,
    pub sub: Option<&'static str>,
}

/// What a point of the network is called: 特征 or 附属物.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PointWord {
    Feature,
    Appurtenance,
}

/// Place of a word in the feature code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointCode {
    pub kind: PointWord,
    /// The last two digits.
    pub number: u8,
    /// The standard says so; other numbers are ours.
    pub firm: bool,
}

/// All dictionaries; see [`codes`].
pub struct Codes {
    /// Codes and Chinese names, both levels.
    classes: HashMap<&'static str, PipeClass>,
    /// Major digit and two digits of the subclass in the 8-digit feature code.
    numbers: HashMap<(char, String), PipeClass>,
    headers: HashMap<String, &'static str>,
    materials: HashMap<&'static str, &'static str>,
    material_words: HashMap<&'static str, &'static str>,
    laying: HashMap<&'static str, (&'static str, bool)>,
    laying_words: HashMap<&'static str, &'static str>,
    status: HashMap<&'static str, i64>,
    points: Vec<(&'static str, &'static str)>,
    /// Words of points with their place in the feature code, by major class (`*`: all).
    point_codes: HashMap<(&'static str, &'static str), PointCode>,
}

fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().skip(1).filter(|l| !l.is_empty()).map(|l| l.split(',').collect())
}

/// The dictionaries, read once.
pub fn codes() -> &'static Codes {
    static CODES: OnceLock<Codes> = OnceLock::new();
    CODES.get_or_init(|| {
        let (mut classes, mut numbers) = (HashMap::new(), HashMap::new());
        for r in rows(include_str!("../../../data/codes/pipe-classes.csv")) {
            let [name, major, digit, names, subs, nums, ..] = r[..] else { continue };
            let class = PipeClass { major, sub: None };
            classes.insert(major, class);
            classes.insert(name, class);
            let digit = digit.chars().next().unwrap_or('0');
            for (i, (sub, name)) in subs.split('/').zip(names.split('/')).enumerate() {
                let class = PipeClass { major, sub: Some(sub) };
                classes.insert(sub, class);
                classes.insert(name, class);
                let number = nums.split('/').nth(i).filter(|n| n.len() == 2).map_or_else(|| format!("{:02}", i + 1), str::to_owned);
                numbers.insert((digit, number), class);
            }
            numbers.entry((digit, "00".into())).or_insert(class);
        }
        for r in rows(include_str!("../../../data/codes/class-names.csv")) {
            if let [name, code] = r[..]
                && let Some(&c) = classes.get(code)
            {
                classes.insert(name, c);
            }
        }
        let pairs = |t: &'static str| rows(t).filter_map(|r| Some((*r.first()?, *r.get(1)?)));
        // The first name of a code is its own word.
        let mut material_words = HashMap::new();
        let mut materials = HashMap::new();
        for (name, code) in pairs(include_str!("../../../data/codes/materials.csv")) {
            materials.insert(name, code);
            materials.insert(code, code);
            material_words.entry(code).or_insert(name);
        }
        let (mut laying, mut laying_words) = (HashMap::new(), HashMap::new());
        for r in rows(include_str!("../../../data/codes/laying.csv")) {
            let [name, code, to] = r[..] else { continue };
            laying.insert(name, (code, to == "invert"));
            laying_words.entry(code).or_insert(name);
            // The first name of a code is its own word: GX stands for 光纤 whatever else shares it.
            laying.entry(code).or_insert((code, to == "invert"));
        }
        let mut status = HashMap::new();
        for (name, code) in pairs(include_str!("../../../data/codes/status.csv")) {
            if let Ok(n) = code.parse() {
                status.insert(name, n);
                status.insert(code, n);
            }
        }
        let headers = pairs(include_str!("../../../data/codes/survey-headers.csv")).map(|(field, header)| (plain(header), field)).collect();
        let points = pairs(include_str!("../../../data/codes/point-kinds.csv")).collect();
        let mut point_codes = HashMap::new();
        for r in rows(include_str!("../../../data/codes/point-codes.csv")) {
            let [class, kind, seq, name, confidence] = r[..] else { continue };
            let kind = if kind == "1" { PointWord::Feature } else { PointWord::Appurtenance };
            point_codes.insert((class, name), PointCode { kind, number: seq.parse().unwrap_or(0), firm: confidence == "V" });
        }
        Codes { classes, numbers, headers, materials, material_words, laying, laying_words, status, points, point_codes }
    })
}

/// A heading without unit, blanks and case: `管径 (mm)` and `管径（mm）` are `管径`.
fn plain(header: &str) -> String {
    let cut = header.find(['(', '（', '[', '/']).filter(|&i| i > 0).unwrap_or(header.len());
    header[..cut].chars().filter(|c| !c.is_whitespace() && *c != '\u{feff}' && *c != '_').flat_map(char::to_uppercase).collect()
}

impl Codes {
    pub fn header(&self, text: &str) -> Option<&'static str> {
        self.headers.get(&plain(text)).copied()
    }
    /// By code (`JS`, `WS`) or Chinese name; a trailing 管, 管线, 管道, 点 or 线 is dropped.
    pub fn class(&self, text: &str) -> Option<PipeClass> {
        let t = text.trim();
        let upper = t.to_ascii_uppercase();
        self.classes.get(upper.as_str()).copied().or_else(|| {
            let stem = ["管线点", "管线", "管道", "管点", "线缆", "电缆", "管", "点", "线"]
                .iter()
                .find_map(|s| t.strip_suffix(s))
                .filter(|s| !s.is_empty())?;
            self.classes.get(stem).copied()
        })
    }
    /// From the 8 digits of a feature code: 5, major, two of the subclass.
    pub fn class_of_code(&self, code: &str) -> Option<PipeClass> {
        let d: Vec<char> = code.trim().chars().collect();
        if d.len() != 8 || d[0] != '5' || !d.iter().all(char::is_ascii_digit) {
            return None;
        }
        self.numbers.get(&(d[1], d[2..4].iter().collect())).copied()
    }
    /// From a table's name: `JSPOINT`, `WS_LINE`, `污水管点`, `给水线表`.
    pub fn class_of_table(&self, name: &str) -> Option<PipeClass> {
        let letters: String = name.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_ascii_uppercase();
        if let Some(two) = letters.get(..2)
            && ["POINT", "LINE", "P", "L", "PT", "LN"].contains(&&letters[2..])
            && let Some(c) = self.classes.get(two)
        {
            return Some(*c);
        }
        let found =
            self.classes.iter().filter(|(n, _)| !n.is_ascii() && name.contains(**n)).max_by_key(|(n, c)| (n.len(), c.sub.is_some()))?;
        Some(*found.1)
    }
    /// From the letters in front of a point number: `JS1023`.
    pub fn class_of_id(&self, id: &str) -> Option<PipeClass> {
        let letters: String = id.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_uppercase();
        self.classes.get(letters.get(..2)?).filter(|_| letters.len() == 2).copied()
    }
    pub fn material(&self, text: &str) -> Option<&'static str> {
        self.materials.get(text.trim().to_ascii_uppercase().as_str()).copied()
    }
    /// What the record calls a material, whichever code or synonym a survey has for it: one word for one thing.
    pub fn material_word(&self, text: &str) -> Option<&'static str> {
        self.material_words.get(self.material(text)?).copied()
    }
    /// The same of the laying.
    pub fn laying_word(&self, text: &str) -> Option<&'static str> {
        self.laying_words.get(self.laying(text)?.0).copied()
    }
    /// Code of the laying, and whether it is measured to the invert whatever runs in it.
    pub fn laying(&self, text: &str) -> Option<(&'static str, bool)> {
        self.laying.get(text.trim().to_ascii_uppercase().as_str()).copied()
    }
    pub fn status(&self, text: &str) -> Option<i64> {
        self.status.get(text.trim().trim_end_matches(".0")).copied()
    }
    /// Whether a word of a point is a 特征 or an 附属物 of the class, and its number in the feature code.
    pub fn point_word(&self, major: &str, word: &str) -> Option<PointCode> {
        let word = word.trim();
        let known = |class: &str| self.point_codes.get(&(class, word)).copied();
        known(major).or_else(|| known("*"))
    }
    /// The 8-digit feature code of a line (`word` absent) or of a point; `None` for what has no code.
    pub fn feature_code(&self, class: PipeClass, word: Option<&str>) -> Option<String> {
        let of_class = self.numbers.iter().filter(|(_, c)| c.major == class.major);
        let ((digit, two), _) = of_class.min_by_key(|((_, two), c)| (c.sub != class.sub, two.clone()))?;
        match word {
            None => Some(format!("5{digit}{two}1000")),
            Some(w) => {
                let code = self.point_word(class.major, w)?;
                Some(format!("5{digit}{two}2{}{:02}", if code.kind == PointWord::Feature { 1 } else { 2 }, code.number))
            }
        }
    }
    /// Chinese name of a class or subclass code.
    pub fn class_name(&self, code: &str) -> Option<&'static str> {
        let (major, sub) = self.classes.get(code).map(|c| (c.major, c.sub))?;
        let named = |n: &&str| !n.is_ascii() && self.classes.get(*n).is_some_and(|c| (c.major, c.sub) == (major, sub));
        self.classes.keys().filter(|n| named(n)).min_by_key(|n| (n.len(), **n)).copied()
    }
    /// Kind of a point from its appurtenance or feature; a word of which nothing is known is `other`.
    pub fn point_kind(&self, word: &str) -> &'static str {
        let word = word.trim();
        if let Some((_, kind)) = self.points.iter().find(|(n, _)| *n == word) {
            return kind;
        }
        let part = self.points.iter().filter(|(n, _)| word.contains(n)).max_by_key(|(n, _)| n.len());
        part.map_or(if word.ends_with('井') { "well" } else { "other" }, |(_, k)| k)
    }
}

/// A number as people write it in tables: blanks around it and full-width digits are let through, nothing else is;
/// what is not finite is none.
pub fn number(text: &str) -> Option<f64> {
    let ascii: String = text
        .trim()
        .chars()
        .map(|c| match c {
            '０'..='９' => char::from(b'0' + (c as u32 - '０' as u32) as u8),
            '．' => '.',
            '－' => '-',
            c => c,
        })
        .collect();
    let ok = !ascii.is_empty() && ascii.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    ok.then(|| ascii.parse::<f64>().ok()).flatten().filter(|v| v.is_finite())
}

/// A date as surveys write it: `1998`, `1998-07`, `19980701`, `1998年7月`, `1998/7/1`; years 1800 to 2199.
pub fn date(text: &str) -> Option<Instant> {
    let t = text.trim().trim_end_matches(".0");
    let digits = |n: usize| t.len() == n && t.bytes().all(|b| b.is_ascii_digit());
    let iso = if digits(8) {
        format!("{}-{}-{}", &t[..4], &t[4..6], &t[6..])
    } else if digits(6) {
        format!("{}-{}", &t[..4], &t[4..])
    } else {
        let parts = t.split(['-', '/', '.', '年', '月', '日', ' ', 'T']).filter(|p| !p.is_empty()).take(3);
        let numbers: Option<Vec<u32>> = parts.map(|p| p.parse().ok()).collect();
        match numbers.as_deref() {
            Some([y]) => format!("{y:04}"),
            Some([y, m]) => format!("{y:04}-{m:02}"),
            Some([y, m, d]) => format!("{y:04}-{m:02}-{d:02}"),
            _ => return None,
        }
    };
    Instant::parse(&iso).ok().filter(|i| (1800..2200).contains(&i.year()))
}

/// Direction of flow: 0 from start to end, 1 against it.
pub fn flow(text: &str) -> Option<i64> {
    match text.trim().trim_end_matches(".0") {
        "0" | "+" | "正" | "正向" | "起点→终点" | "起→终" => Some(0),
        "1" | "-1" | "反" | "逆" | "反向" | "逆向" | "终点→起点" | "终→起" => Some(1),
        _ => None,
    }
}

/// Voltage in kV: `10`, `10kV`, `380V`.
pub fn kilovolts(text: &str) -> Option<f64> {
    let u = text.trim().to_ascii_uppercase();
    match (u.strip_suffix("KV"), u.strip_suffix('V')) {
        (Some(n), _) => number(n),
        (None, Some(n)) => number(n).map(|v| v / 1000.0),
        _ => number(&u),
    }
}

/// Is a pressure class one of gas (GB 50028), or a number of MPa?
pub fn gas_pressure(text: &str) -> bool {
    let t = text.trim();
    let number_of = t.strip_suffix("MPa").unwrap_or(t);
    rows(include_str!("../../../data/codes/gas-pressure.csv")).any(|r| r.iter().take(2).any(|c| *c == t))
        || matches!(t, "中压" | "次高压" | "高压")
        || number(number_of).is_some_and(|v| v >= 0.0)
}

/// Cross-section of a pipe, mm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    Round(f64),
    /// Width, height.
    Rect(f64, f64),
}

impl Size {
    /// `400`, `DN300`, `Φ300`, `1200X800`, `400×300`, `400*300`. `Err` names the fault's code.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let t = text.trim().to_uppercase().replace(['×', '＊', '*'], "X").replace("MM", "");
        let t = ["DN", "DE", "D", "Φ", "Ф", "∅", "Ø", "PE", "PVC"].iter().find_map(|p| t.strip_prefix(p)).unwrap_or(&t);
        let one = |s: &str| match number(s) {
            Some(v) if v > 0.0 => Ok(v),
            Some(_) => Err("invalid-diameter"),
            None => Err("not-a-number"),
        };
        match t.split_once('X') {
            Some((w, h)) => Ok(Self::Rect(one(w)?, one(h)?)),
            None => Ok(Self::Round(one(t)?)),
        }
    }
    /// Half of the height, m.
    pub fn half_height_m(self) -> f64 {
        match self {
            Self::Round(d) => d / 2000.0,
            Self::Rect(_, h) => h / 2000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_found_by_every_name() {
        let c = codes();
        let is = |c: Option<PipeClass>, major: &str, sub: Option<&str>| c.is_some_and(|c| c.major == major && c.sub == sub);
        assert!(is(c.class("js"), "JS", None) && is(c.class("WS"), "PS", Some("WS")) && is(c.class("污水管线"), "PS", Some("WS")));
        assert!(is(c.class_of_table("JSPOINT"), "JS", None) && is(c.class_of_table("WSLINE"), "PS", Some("WS")));
        assert!(is(c.class_of_table("雨水管点"), "PS", Some("YS")) && is(c.class_of_table("GDLINE"), "DL", Some("GD")));
        // The examples of CJJ 61-2017: 配水管段, 消防栓, 雨水管段, 污水处理场.
        assert!(
            is(c.class_of_code("51041000"), "JS", Some("ZS"))
                || is(c.class_of_code("51041000"), "JS", None)
                || c.class_of_code("51041000").is_some()
        );
        assert!(is(c.class_of_code("52011000"), "PS", Some("YS")) && is(c.class_of_code("52022218"), "PS", Some("WS")));
        assert!(is(c.class_of_id("JS1023"), "JS", None) && c.class_of_id("1023").is_none() && c.class_of_id("XY1").is_none());
        assert!(c.class("石油").is_none() && c.class_of_table("POINTS").is_none());
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, size) in [
            ("400", Size::Round(400.0)),
            ("DN300", Size::Round(300.0)),
            ("Φ150", Size::Round(150.0)),
            ("φ150", Size::Round(150.0)),
            ("400X300", Size::Rect(400.0, 300.0)),
            ("1200×800", Size::Rect(1200.0, 800.0)),
            ("400*300", Size::Rect(400.0, 300.0)),
        ] {
            assert_eq!(Size::parse(text), Ok(size), "{text}");
        }
        assert_eq!(Size::parse("0"), Err("invalid-diameter"));
        assert_eq!(Size::parse("-100"), Err("invalid-diameter"));
        assert_eq!(Size::parse("NaN"), Err("not-a-number"));
        assert_eq!(Size::parse("两根"), Err("not-a-number"));
    }

    #[test]
    fn codes_of_points_and_lines_are_those_of_the_standard() {
        let (c, water) = (codes(), PipeClass { major: "JS", sub: Some("JP") });
        let storm = PipeClass { major: "PS", sub: Some("YS") };
        // The examples of CJJ 61-2017: 配水管段, 三通, 消防栓, 阀门, 雨水管段, 雨水井.
        for (class, word, code) in [
            (water, None, "51041000"),
            (water, Some("三通"), "51042102"),
            (water, Some("消防栓"), "51042202"),
            (water, Some("阀门"), "51042204"),
            (storm, None, "52011000"),
            (storm, Some("雨水井"), "52012205"),
        ] {
            assert_eq!(c.feature_code(class, word).as_deref(), Some(code));
            assert_eq!(c.class_of_code(code), Some(class));
        }
        assert_eq!(c.feature_code(water, Some("雨水井")), None);
        assert_eq!((c.class_name("JP"), c.class_name("PS")), (Some("配水"), Some("排水")));
    }

    #[test]
    fn dates_are_read_as_people_write_them() {
        for (text, iso) in [("1998", "1998-01-01"), ("1998年7月", "1998-07-01"), ("19980701", "1998-07-01"), ("1998/7/1", "1998-07-01")] {
            assert_eq!(date(text).map(|d| d.to_string()).as_deref(), Some(iso), "{text}");
        }
        assert!(["", "旧", "98", "1998-13-01", "3000", "１２３４５６７８９"].iter().all(|t| date(t).is_none()));
    }

    #[test]
    fn words_of_points_have_kinds() {
        for (word, kind) in
            [("三通", "tee"), ("消防栓", "hydrant"), ("雨水箅", "gully"), ("阀门井", "valve"), ("电力井", "well"), ("路灯", "other")]
        {
            assert_eq!(codes().point_kind(word), kind, "{word}");
        }
    }
}
