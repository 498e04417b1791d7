//! What codes and years of city models mean in the words of the contract layers.

use super::xml::Node;
use strata_model::{Instant, Interval};

/// PLATEAU's `Building_usage` code list to the uses of the contract; 454 (other), 461 (unknown) and foreign codes are null.
pub(crate) fn building_use(code: &str) -> Option<&'static str> {
    Some(match code.trim() {
        "401" => "office",
        "402" | "403" | "404" => "commercial",
        "411" | "412" | "413" | "414" | "415" => "residential",
        "421" | "453" => "public",
        "422" => "school",
        "431" | "441" | "451" => "industrial",
        "452" => "utility",
        text => return by_word(text),
    })
}

/// Uses written as words, as CityJSON files often have them.
fn by_word(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    let words: [(&str, &'static str); 14] = [
        ("residential", "residential"),
        ("woonfunctie", "residential"),
        ("habitation", "residential"),
        ("office", "office"),
        ("kantoor", "office"),
        ("commercial", "commercial"),
        ("business", "commercial"),
        ("winkel", "commercial"),
        ("industr", "industrial"),
        ("school", "school"),
        ("onderwijs", "school"),
        ("hospital", "hospital"),
        ("gezondheid", "hospital"),
        ("public", "public"),
    ];
    words.iter().find(|(w, _)| text.contains(w)).map(|(_, u)| *u)
}

/// CityGML's `roofType` code list, or the word itself.
pub(crate) fn roof(code: &str) -> Option<&'static str> {
    Some(match code.trim().to_lowercase().as_str() {
        "1000" | "flat" | "horizontal" => "flat",
        "1030" | "gable" | "gabled" | "slanted" => "gable",
        "1040" | "1050" | "1070" | "hip" | "hipped" | "half-hipped" | "pavilion" => "hip",
        "saw" | "sawtooth" => "saw",
        _ => return None,
    })
}

/// A year, unless it is one of the codes for "not known".
pub(crate) fn year(text: &str) -> Option<i64> {
    let y: i64 = text.trim().get(..4)?.parse().ok()?;
    (1000..=2200).contains(&y).then_some(y)
}

/// A date, unless its year stands for "not known".
pub(crate) fn date(text: &str) -> Option<Instant> {
    year(text)?;
    Instant::parse(text.trim().get(..10).unwrap_or(text.trim())).ok()
}

/// From and to, by whatever the object says of itself; `otherwise` for what it does not say. A span that ends before
/// it begins is taken as its beginning alone.
pub(crate) fn valid(from: Option<Instant>, to: Option<Instant>, otherwise: Interval) -> Interval {
    let from = from.unwrap_or(otherwise.from);
    Interval::new(from, to.unwrap_or(Instant::MAX)).unwrap_or(Interval::since(from))
}

/// Numbers below zero stand for "not measured" in heights and counts (`-9999`).
pub(crate) fn positive(v: Option<f64>) -> Option<f64> {
    v.filter(|v| *v > 0.0 && *v < 1e5)
}

pub(crate) fn floors(node: &Node) -> Option<i64> {
    positive(node.number("storeysAboveGround")).filter(|v| *v < 300.0).map(|v| v as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_years() {
        assert_eq!(building_use("441"), Some("industrial"));
        assert_eq!(building_use("461"), None);
        assert_eq!(building_use("residential building"), Some("residential"));
        assert_eq!((year("0001"), year("9999"), year("1986"), year("2008-03-28"), year("x")), (None, None, Some(1986), Some(2008), None));
        assert_eq!(date("0001-01-01"), None);
        assert_eq!(date("2012-03-30"), Instant::parse("2012-03-30").ok());
        assert_eq!(roof("1040"), Some("hip"));
    }
}
