//! One table of all rules: what is asked, by which clause of which edition, and how sure we are that it says so.
//!
//! Read at compile time from `data/rules` and `data/codes`; a test reads every row. A pipe is judged as its **kind**:
//! the rows of the tables that may hold for it. Where an attribute is missing or hidden (pressure, voltage, laying) several
//! may, and the asked distance becomes a span: a verdict that depends on the missing attribute is "too uncertain".

mod kind;

pub use kind::{Gas, Kind, Row};

use crate::pipe::{Class, Pipe};
use kind::{CROSSINGS, is_reclaimed};
use serde::Serialize;
use std::{collections::HashMap, sync::LazyLock};

/// **V** seen in a transcription, **V2** in a second source, **M** firm general knowledge, **U** uncertain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Confidence {
    V,
    V2,
    M,
    U,
}

/// A rule as every result cites it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    pub id: String,
    pub standard: String,
    pub edition: String,
    pub clause: String,
    pub title_zh: String,
    pub title_en: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    pub unit: String,
    pub confidence: Confidence,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// What a rule asks of a pair, as a span where an attribute is not known.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// Asked in the mildest and in the hardest case that may hold, m. The same when all is known.
    pub least_m: f64,
    pub most_m: f64,
    /// Enough with a separating plate, m.
    pub plate_m: Option<f64>,
    pub rule: Rule,
}

/// What a check says, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The bodies share a place.
    Clash,
    /// Short of the rule by more than an exception may excuse.
    Violation,
    /// Short of the rule; may stand with safety measures and an approval (GB 50289-2016 3.0.2).
    Exception,
    /// The survey, or an attribute that is missing, does not decide it.
    Uncertain,
    Sound,
}

impl Verdict {
    pub fn is_fault(self) -> bool {
        matches!(self, Self::Clash | Self::Violation | Self::Exception)
    }
}

/// A measured distance against what is asked. `uncertainty_m` is the half width of the span in which the true distance
/// lies. Nothing asked: only a clash can be found.
pub fn judge(gap_m: f64, need: Option<&Need>, uncertainty_m: f64) -> Verdict {
    const EXACT_M: f64 = 1e-6;
    let (least, most, plate) = need.map_or((0.0, 0.0, None), |n| (n.least_m, n.most_m, n.plate_m));
    let short = gap_m + uncertainty_m + EXACT_M < least;
    if gap_m < -EXACT_M && (short || gap_m + uncertainty_m < -EXACT_M) {
        Verdict::Clash
    } else if short {
        let floor = plate.unwrap_or(least * rules().value("exception-floor-share"));
        if gap_m + EXACT_M >= floor { Verdict::Exception } else { Verdict::Violation }
    } else if gap_m - uncertainty_m + EXACT_M >= most {
        Verdict::Sound
    } else {
        Verdict::Uncertain
    }
}

/// Where a pipe lies, for the cover table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// Carriageway.
    MotorLane,
    /// Cycle lane, sidewalk, or land outside of streets.
    Sidewalk,
}

/// Design life of a class and material, years.
#[derive(Debug, Clone, PartialEq)]
struct Life {
    class: String,
    material: String,
    years: f64,
    confidence: Confidence,
}

#[derive(Debug, Clone, Copy)]
enum Cell {
    No,
    Metres(f64),
    GasGas,
    PowerTelecom,
}

/// The table, parsed.
#[derive(Debug)]
pub struct Rules {
    named: HashMap<String, Rule>,
    plan: [[Cell; 24]; 16],
    /// Metres and whether a plate is enough for less.
    crossing: [[Option<(f64, bool)>; 9]; 13],
    /// Rows: motor lane, sidewalk.
    cover: [HashMap<String, f64>; 2],
    confidence: HashMap<(String, String, String), Confidence>,
    zones: HashMap<Gas, (f64, f64, Rule)>,
    gas_spans: Vec<(Gas, String, f64, f64)>,
    laying: HashMap<String, String>,
    lives: Vec<Life>,
}

macro_rules! data {
    ($path:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/", $path))
    };
}

static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::parse().unwrap_or_else(|e| unreachable!("data/rules: {e}")));

pub fn rules() -> &'static Rules {
    &RULES
}

impl Rules {
    fn parse() -> Result<Self, String> {
        let mut named = HashMap::new();
        for r in records(data!("rules/rules.csv"))? {
            let value = if r["value"].is_empty() { None } else { Some(number(&r["value"])?) };
            let rule = Rule {
                id: r["id"].clone(),
                standard: r["standard"].clone(),
                edition: r["edition"].clone(),
                clause: r["clause"].clone(),
                title_zh: r["title_zh"].clone(),
                title_en: r["title_en"].clone(),
                value,
                unit: r["unit"].clone(),
                confidence: confidence(&r["confidence"])?,
                note: r["note"].clone(),
            };
            named.insert(rule.id.clone(), rule);
        }
        let mut plan = [[Cell::No; 24]; 16];
        for r in records(data!("rules/gb50289-horizontal-clearance.csv"))? {
            let row = Row::ALL.iter().position(|x| x.code() == r["row"]).filter(|i| *i < 16).ok_or(format!("row {}", r["row"]))?;
            for (k, column) in Row::ALL.iter().enumerate() {
                plan[row][k] = match r.get(column.code()).ok_or(column.code())?.as_str() {
                    "" => Cell::No,
                    "G" => Cell::GasGas,
                    "P" => Cell::PowerTelecom,
                    n => Cell::Metres(number(n)?),
                };
            }
        }
        let mut crossing = [[None; 9]; 13];
        for r in records(data!("rules/gb50289-vertical-clearance.csv"))? {
            let upper = CROSSINGS.iter().position(|c| *c == r["upper_lower"]).ok_or(format!("upper {}", r["upper_lower"]))?;
            for k in 0..9 {
                let cell = r.get(CROSSINGS[k]).ok_or(CROSSINGS[k])?;
                crossing[upper][k] = Some((number(cell.trim_end_matches('*'))?, cell.ends_with('*')));
            }
        }
        let mut cover = [HashMap::new(), HashMap::new()];
        for r in records(data!("rules/gb50289-min-cover.csv"))? {
            let i = usize::from(r["location"] != "motor_lane");
            for (name, cell) in r.iter().filter(|(k, v)| *k != "location" && !v.is_empty()) {
                cover[i].insert(name.clone(), number(cell)?);
            }
        }
        let mut cells = HashMap::new();
        for r in records(data!("rules/gb50289-confidence.csv"))? {
            cells.insert((r["table"].clone(), r["row"].clone(), r["column"].clone()), confidence(&r["confidence"])?);
        }
        let mut zones = HashMap::new();
        for r in records(data!("rules/gb55009-gas-zones.csv"))? {
            let gas = Gas::parse_code(&r["pressure"]).ok_or(format!("pressure {}", r["pressure"]))?;
            let rule = Rule {
                id: format!("gas-zone-{}", r["pressure"].to_lowercase()),
                standard: r["standard"].clone(),
                edition: r["edition"].clone(),
                clause: r["clause"].clone(),
                title_zh: "燃气管道保护范围和控制范围".into(),
                title_en: "protection and control zone of a gas pipe".into(),
                value: Some(number(&r["protection_m"])?),
                unit: "m".into(),
                confidence: confidence(&r["confidence"])?,
                note: r["note"].clone(),
            };
            zones.insert(gas, (number(&r["protection_m"])?, number(&r["control_m"])?, rule));
        }
        let mut gas_spans = Vec::new();
        for r in records(data!("codes/gas-pressure.csv"))? {
            let gas = Gas::parse_code(&r["class"]).ok_or(format!("class {}", r["class"]))?;
            gas_spans.push((gas, r["cn"].clone(), number(&r["p_gt"])?, number(&r["p_le"])?));
        }
        let laying = records(data!("codes/laying.csv"))?.into_iter().map(|r| (r["name"].clone(), r["code"].clone())).collect();
        let mut lives = Vec::new();
        for r in records(data!("rules/life.csv"))? {
            lives.push(Life {
                class: r["class"].clone(),
                material: r["material"].clone(),
                years: number(&r["life_years"])?,
                confidence: confidence(&r["confidence"])?,
            });
        }
        Ok(Self { named, plan, crossing, cover, confidence: cells, zones, gas_spans, laying, lives })
    }

    /// A rule by its id in `rules.csv`.
    pub fn named(&self, id: &str) -> Option<&Rule> {
        self.named.get(id)
    }
    /// Its value; not a number for an id or a value that is not there (a test reads every id that is asked for).
    pub fn value(&self, id: &str) -> f64 {
        self.named.get(id).and_then(|r| r.value).unwrap_or(f64::NAN)
    }
    fn cite(&self, id: &str) -> Rule {
        self.named.get(id).cloned().unwrap_or_else(|| unreachable!("rule {id}"))
    }

    fn cell_confidence(&self, table: &str, row: &str, column: &str) -> Confidence {
        let get = |r: &str, c: &str| self.confidence.get(&(table.to_owned(), r.to_owned(), c.to_owned())).copied();
        get(row, column)
            .or_else(|| get(column, row))
            .or_else(|| get(row, "*"))
            .or_else(|| get("*", column))
            .or_else(|| get(column, "*"))
            .or_else(|| get("*", row))
            .unwrap_or(Confidence::M)
    }

    /// Least clearance in plan of two bodies, GB 50289-2016 table 4.1.9. `None`: the table asks nothing of the pair.
    pub fn clearance_in_plan(&self, a: &Kind, b: &Kind) -> Option<Need> {
        let mut span: Option<(f64, f64)> = None;
        let (mut hardest, mut holes) = (None, a.rows == 0 || b.rows == 0);
        for ra in a.each_row() {
            for rb in b.each_row() {
                let cell = if (ra as usize) < 16 {
                    self.plan[ra as usize][rb as usize]
                } else if (rb as usize) < 16 {
                    self.plan[rb as usize][ra as usize]
                } else {
                    Cell::No
                };
                let (lo, hi) = match cell {
                    Cell::No => {
                        holes = true;
                        continue;
                    }
                    Cell::Metres(m) => (m, m),
                    Cell::GasGas => {
                        let (small, large) = (self.value("clearance-gas-gas-small"), self.value("clearance-gas-gas-large"));
                        match (a.small, b.small) {
                            (Some(true), Some(true)) => (small, small),
                            (Some(false), _) | (_, Some(false)) => (large, large),
                            _ => (small, large),
                        }
                    }
                    Cell::PowerTelecom => {
                        let (low, high) = (self.value("clearance-power-telecom-low"), self.value("clearance-power-telecom-high"));
                        match if ra.is_power() { a.high_voltage } else { b.high_voltage } {
                            Some(true) => (high, high),
                            Some(false) => (low, low),
                            None => (low, high),
                        }
                    }
                };
                let s = span.get_or_insert((lo, hi));
                if hardest.is_none() || hi > s.1 {
                    hardest = Some((ra, rb));
                }
                *s = (s.0.min(lo), s.1.max(hi));
            }
        }
        let ((least, most), (ra, rb)) = (span?, hardest?);
        let mut rule = self.cite("clearance-horizontal");
        rule.id = format!("gb50289-2016/4.1.9/{}-{}", ra.code(), rb.code());
        rule.value = Some(most);
        rule.confidence = self.cell_confidence("horizontal", ra.code(), rb.code());
        rule.note = String::new();
        Some(Need { least_m: if holes { 0.0 } else { least }, most_m: most, plate_m: None, rule })
    }

    /// Least clearance in height where `upper` crosses above `lower`, GB 50289-2016 table 4.1.14.
    pub fn clearance_at_crossing(&self, upper: &Kind, lower: &Kind) -> Option<Need> {
        let bits = |k: &Kind| {
            (0..13u8).filter({
                let c = k.crossing;
                move |i| c >> i & 1 == 1
            })
        };
        let mut span: Option<(f64, f64)> = None;
        let (mut hardest, mut plates) = (None, true);
        for u in bits(upper) {
            for l in bits(lower) {
                // The table has trenches and rails as upper ones only; below, they are taken the same.
                let (cell, doubtful) = if (l as usize) < 9 {
                    (self.crossing[u as usize][l as usize], false)
                } else if (u as usize) < 9 {
                    (self.crossing[l as usize][u as usize], true)
                } else {
                    (None, false)
                };
                let Some((m, plate)) = cell else { continue };
                plates &= plate;
                let s = span.get_or_insert((m, m));
                if hardest.is_none() || m > s.1 {
                    hardest = Some((u, l, doubtful));
                }
                *s = (s.0.min(m), s.1.max(m));
            }
        }
        let ((least, most), (u, l, doubtful)) = (span?, hardest?);
        let mut rule = self.cite("clearance-vertical");
        rule.id = format!("gb50289-2016/4.1.14/{}-over-{}", CROSSINGS[u as usize], CROSSINGS[l as usize]);
        rule.value = Some(most);
        rule.confidence =
            if doubtful { Confidence::U } else { self.cell_confidence("vertical", CROSSINGS[u as usize], CROSSINGS[l as usize]) };
        rule.note = if plates { "0.25 m with a separating plate".into() } else { String::new() };
        Some(Need { least_m: least, most_m: most, plate_m: plates.then(|| self.value("clearance-vertical-plate")), rule })
    }

    /// Least cover of a pipe, GB 50289-2016 table 4.1.1; `None` for a class that the table does not name.
    pub fn cover(&self, p: &Pipe, location: Location) -> Option<Need> {
        let laid = p.embed.as_deref().map(laying_code);
        let trench = matches!(laid, Some("GG" | "XTD" | "ZH" | "RF"));
        let in_duct = match laid {
            Some("GM" | "GK" | "DG") => Some(true),
            Some("ZM") => Some(false),
            _ => None,
        };
        let steel = p.material.as_deref().is_some_and(|m| matches!(m, "钢" | "钢管" | "G"));
        let columns: Vec<&str> = match p.class {
            _ if trench => vec!["trench"],
            Class::Js if is_reclaimed(p) => vec!["reclaimed"],
            Class::Js => vec!["water"],
            Class::Ps => vec!["drain"],
            Class::Rq => vec!["gas"],
            Class::Rl => vec!["heat_direct"],
            Class::Dl => match in_duct {
                Some(true) => vec!["power_conduit"],
                Some(false) => vec!["power_direct"],
                None => vec!["power_direct", "power_conduit"],
            },
            Class::Tx if steel => vec!["telecom_steel"],
            Class::Tx => vec!["telecom_direct_or_plastic_concrete"],
            Class::Qt if p.subclass.eq_ignore_ascii_case("ZH") => vec!["trench"],
            Class::Gy | Class::Qt => Vec::new(),
        };
        let table = &self.cover[usize::from(location == Location::Sidewalk)];
        let values: Vec<(&str, f64)> = columns.into_iter().filter_map(|c| table.get(c).map(|v| (c, *v))).collect();
        let (column, most) = values.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let least = values.iter().map(|v| v.1).fold(f64::INFINITY, f64::min);
        let mut rule = self.cite("min-cover");
        let place = if location == Location::MotorLane { "motor-lane" } else { "sidewalk" };
        rule.id = format!("gb50289-2016/4.1.1/{place}/{column}");
        rule.value = Some(most);
        rule.confidence = self.cell_confidence("cover", place, column);
        rule.note = String::new();
        Some(Need { least_m: least, most_m: most, plate_m: None, rule })
    }

    /// Depth of the top that the frost asks for, and whether a shortfall is a fault (water) or a warning (drains, cables
    /// laid bare, wet gas). `None`: dry gas, heat, telecom and cables in ducts do not mind the frost.
    pub fn frost(&self, p: &Pipe, frost_depth_m: f64) -> Option<(Need, bool)> {
        let margin = self.value("frost-margin");
        let wet_gas = p.class == Class::Rq && p.subclass.eq_ignore_ascii_case("MQ");
        let bare_power = p.class == Class::Dl && p.embed.as_deref().map(laying_code) == Some("ZM");
        let (id, metres, fault) = match p.class {
            Class::Js => ("frost-cover", frost_depth_m + margin, true),
            Class::Ps => ("frost-drain", frost_depth_m, false),
            _ if wet_gas || bare_power => ("frost-cover", frost_depth_m, false),
            _ => return None,
        };
        let mut rule = self.cite(id);
        rule.value = Some(metres);
        rule.note = format!("frost depth {frost_depth_m} m{}", if fault { format!(" and a margin of {margin} m") } else { String::new() });
        Some((Need { least_m: metres, most_m: metres, plate_m: None, rule }, fault))
    }

    /// Protection and control zone of a gas pipe from its outer face, m: the widest of those that its pressure may ask.
    /// `None`: not gas.
    pub fn gas_zone(&self, p: &Pipe) -> Option<(f64, f64, Rule)> {
        if p.class != Class::Rq {
            return None;
        }
        gas_classes(p.pressure.as_deref()).into_iter().max().and_then(|g| self.zones.get(&g)).cloned()
    }

    /// Least slope of a drain (m/m) by its size and material; `None` where no row holds.
    pub fn min_slope(&self, p: &Pipe) -> Option<Rule> {
        let dn = p.dn_mm.filter(|_| p.is_gravity())?;
        self.min_slope_of(dn, p.material.as_deref().is_some_and(|m| ["PE", "HDPE", "PVC", "UPVC", "PVC-U", "塑料", "聚乙烯"].contains(&m)))
    }

    /// The same by nominal size, mm.
    pub fn min_slope_of(&self, dn_mm: f64, plastic: bool) -> Option<Rule> {
        let id = match dn_mm {
            d if d < 250.0 => return None,
            d if d < 350.0 && plastic => "min-slope-dn300-plastic",
            d if d < 350.0 => "min-slope-dn300",
            d if d < 450.0 => "min-slope-dn400",
            d if d < 550.0 => "min-slope-dn500",
            d if d < 700.0 => "min-slope-dn600",
            d if d < 900.0 => "min-slope-dn800",
            _ => "min-slope-dn1000",
        };
        Some(self.cite(id))
    }

    /// The farthest that two wells of a drain may stand apart (m), by its nominal size, mm; `None` where no row holds.
    pub fn max_well_spacing(&self, dn_mm: f64) -> Option<Rule> {
        let id = match dn_mm {
            d if d < 300.0 => return None,
            d if d <= 600.0 => "well-spacing-dn600",
            d if d <= 1000.0 => "well-spacing-dn1000",
            d if d <= 1500.0 => "well-spacing-dn1500",
            d if d <= 2000.0 => "well-spacing-dn2000",
            _ => return None,
        };
        Some(self.cite(id))
    }

    /// Design life in years: what the pipe carries, else by class and material. With the confidence of the table.
    pub fn life_years(&self, p: &Pipe) -> Option<(f64, Option<Confidence>)> {
        if let Some(y) = p.life_years.filter(|y| (1..=500).contains(y)) {
            return Some((y as f64, None));
        }
        let of = |material: &str| self.lives.iter().find(|l| l.class == p.class.letters() && l.material == material);
        p.material.as_deref().and_then(of).or_else(|| of("*")).map(|l| (l.years, Some(l.confidence)))
    }
}

/// Pressure classes that the surveyed text may mean: a code, a Chinese name (`中压` alone is both), or a pressure in MPa or kPa.
pub fn gas_classes(text: Option<&str>) -> Vec<Gas> {
    let r = rules();
    let text = text.unwrap_or_default().trim().to_uppercase();
    if let Some(g) = Gas::parse_code(&text) {
        return vec![g];
    }
    let digits: String = text.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    if let Ok(v) = digits.parse::<f64>() {
        let mpa = if text.ends_with("KPA") { v / 1000.0 } else { v };
        return r.gas_spans.iter().filter(|s| mpa > s.2 && mpa <= s.3 || mpa == 0.0 && s.2 == 0.0).map(|s| s.0).collect();
    }
    let plain = |s: &str| s.replace("压力", "压").replace(['级', ' '], "");
    let wanted = plain(&text);
    let named = |exact: bool| -> Vec<Gas> {
        let hit = |cn: &str| if exact { cn == wanted } else { cn.trim_end_matches(['A', 'B']) == wanted };
        r.gas_spans.iter().filter(|s| hit(&s.1)).map(|s| s.0).collect()
    };
    let exact = named(true);
    let found = if exact.is_empty() { named(false) } else { exact };
    // Not known: any class of a town's network.
    if found.is_empty() { vec![Gas::L, Gas::Mb, Gas::Ma, Gas::Shb, Gas::Sha] } else { found }
}

/// `直埋` and `ZM` are the same; an unknown word stays as it is.
pub fn laying_code(text: &str) -> &str {
    rules().laying.get(text).map_or(text, String::as_str)
}

pub(crate) fn records(text: &str) -> Result<Vec<HashMap<String, String>>, String> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let heads = reader.headers().map_err(|e| e.to_string())?.clone();
    reader
        .records()
        .map(|r| r.map(|r| heads.iter().zip(&r).map(|(h, v)| (h.to_owned(), v.trim().to_owned())).collect()).map_err(|e| e.to_string()))
        .collect()
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

fn confidence(text: &str) -> Result<Confidence, String> {
    match text {
        "V" => Ok(Confidence::V),
        "V2" => Ok(Confidence::V2),
        "M" => Ok(Confidence::M),
        "U" => Ok(Confidence::U),
        other => Err(format!("confidence `{other}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe(class: Class, dn: f64) -> Pipe {
        Pipe { embed: None, ..crate::hand::round("p", class, dn, &[[0.0; 3], [1.0, 0.0, 0.0]]) }
    }
    fn plan(a: &Pipe, b: &Pipe) -> Option<(f64, f64)> {
        rules().clearance_in_plan(&Kind::of_pipe(a), &Kind::of_pipe(b)).map(|n| (n.least_m, n.most_m))
    }

    #[test]
    fn the_plan_table_reads_the_same_from_both_sides() {
        for a in &Row::ALL[..16] {
            for b in &Row::ALL[..16] {
                let at = |x: Row, y: Row| rules().clearance_in_plan(&Kind::of_row(x), &Kind::of_row(y)).map(|n| n.most_m);
                assert_eq!(at(*a, *b), at(*b, *a), "{} {}", a.code(), b.code());
            }
        }
    }

    #[test]
    fn cells_and_special_cells_of_table_4_1_9() {
        let (small, large, drain) = (pipe(Class::Js, 200.0), pipe(Class::Js, 300.0), pipe(Class::Ps, 400.0));
        assert_eq!(plan(&small, &drain), Some((1.0, 1.0)));
        assert_eq!(plan(&drain, &large), Some((1.5, 1.5)));
        let mut gas = pipe(Class::Rq, 300.0);
        gas.pressure = Some("中压A".into());
        assert_eq!(plan(&gas, &drain), Some((1.2, 1.2)));
        let mut wide = pipe(Class::Rq, 400.0);
        wide.pressure = Some("0.3 MPa".into());
        assert_eq!((plan(&gas, &gas), plan(&gas, &wide)), (Some((0.4, 0.4)), Some((0.5, 0.5))));
        let (mut power, mut telecom) = (pipe(Class::Dl, 100.0), pipe(Class::Tx, 100.0));
        (power.embed, telecom.embed) = (Some("直埋".into()), Some("管块".into()));
        assert_eq!(plan(&power, &telecom), Some((0.5, 2.0)), "voltage not known");
        power.voltage_kv = Some(10.0);
        assert_eq!(plan(&power, &telecom), Some((0.5, 0.5)));
        power.voltage_kv = Some(35.0);
        assert_eq!(plan(&telecom, &power), Some((2.0, 2.0)));
        assert_eq!(plan(&drain, &drain), None);
        assert_eq!(plan(&pipe(Class::Gy, 100.0), &drain), None, "industrial pipes are not in the table");
        gas.pressure = Some("高压B".into());
        assert_eq!(plan(&gas, &drain), None, "above 1.6 MPa another standard holds");
        let need = rules().clearance_in_plan(&Kind::of_pipe(&small), &Kind::of_pipe(&drain)).unwrap();
        assert_eq!((need.rule.id.as_str(), need.rule.confidence), ("gb50289-2016/4.1.9/W200-SD", Confidence::V));
    }

    #[test]
    fn cells_and_plates_of_table_4_1_14() {
        let at = |a: &Pipe, b: &Pipe| rules().clearance_at_crossing(&Kind::of_pipe(a), &Kind::of_pipe(b)).unwrap();
        let (water, drain) = (pipe(Class::Js, 200.0), pipe(Class::Ps, 400.0));
        assert_eq!((at(&water, &drain).most_m, at(&water, &drain).rule.confidence), (0.4, Confidence::V));
        let mut power = pipe(Class::Dl, 100.0);
        power.embed = Some("ZM".into());
        let n = at(&power, &water);
        assert_eq!((n.least_m, n.plate_m), (0.5, Some(0.25)));
        assert_eq!(judge(0.3, Some(&n), 0.0), Verdict::Exception);
        assert_eq!(judge(0.2, Some(&n), 0.0), Verdict::Violation);
        power.embed = None;
        let n = at(&power, &water);
        assert_eq!((n.least_m, n.most_m, n.plate_m), (0.25, 0.5, None), "laying not known");
        let mut gallery = pipe(Class::Qt, 3000.0);
        gallery.subclass = "ZH".into();
        assert_eq!((at(&gallery, &water).most_m, at(&gallery, &water).rule.confidence), (0.15, Confidence::M));
        assert_eq!((at(&water, &gallery).most_m, at(&water, &gallery).rule.confidence), (0.15, Confidence::U));
    }

    #[test]
    fn verdicts_follow_the_span_of_the_survey() {
        let n = rules().clearance_in_plan(&Kind::of_row(Row::Sd), &Kind::of_row(Row::W200)).unwrap();
        let at = |gap: f64| judge(gap, Some(&n), 0.1);
        use Verdict::*;
        assert_eq!(
            [-0.05, 0.2, 0.6, 0.89, 0.91, 1.0, 1.09, 1.11].map(at),
            [Clash, Violation, Exception, Exception, Uncertain, Uncertain, Uncertain, Sound]
        );
        assert_eq!(judge(1.0, Some(&n), 0.0), Sound);
        assert_eq!([-0.2, -0.05, 0.05, 0.2].map(|g| judge(g, None, 0.1)), [Clash, Uncertain, Uncertain, Sound]);
    }

    #[test]
    fn gas_pressure_in_every_spelling() {
        for (text, codes) in [
            ("中压A", "MA"),
            ("MA", "MA"),
            ("0.4", "MA"),
            ("0.41MPa", "SHB"),
            ("5kPa", "L"),
            ("低压", "L"),
            ("次高压A", "SHA"),
            ("中压", "MB MA"),
            ("高压", "HB HA"),
            ("", "L MB MA SHB SHA"),
            ("?", "L MB MA SHB SHA"),
        ] {
            let found: Vec<_> = gas_classes(Some(text)).into_iter().map(Gas::code).collect();
            assert_eq!(found.join(" "), codes, "{text}");
        }
    }

    #[test]
    fn cover_and_frost() {
        let water = pipe(Class::Js, 300.0);
        assert_eq!(rules().cover(&water, Location::MotorLane).unwrap().most_m, 0.7);
        let (need, fault) = rules().frost(&water, 1.69).unwrap();
        assert!((need.most_m - 1.84).abs() < 1e-9 && fault);
        let (need, fault) = rules().frost(&pipe(Class::Ps, 300.0), 1.69).unwrap();
        assert!(need.most_m == 1.69 && !fault);
        assert!(rules().frost(&pipe(Class::Rl, 300.0), 1.69).is_none());
        let mut gallery = pipe(Class::Qt, 3000.0);
        gallery.subclass = "ZH".into();
        assert!(rules().cover(&gallery, Location::Sidewalk).is_none(), "the table has no value there");
    }

    #[test]
    fn zones_slopes_lives_and_every_named_value() {
        let mut gas = pipe(Class::Rq, 200.0);
        gas.pressure = Some("次高压B".into());
        let (protection, control, rule) = rules().gas_zone(&gas).unwrap();
        assert_eq!((protection, control, rule.standard.as_str()), (1.5, 15.0, "GB 55009"));
        let mut drain = pipe(Class::Ps, 300.0);
        assert_eq!(rules().min_slope(&drain).unwrap().value, Some(0.003));
        drain.material = Some("PE".into());
        assert_eq!(rules().min_slope(&drain).unwrap().value, Some(0.002));
        let mut iron = pipe(Class::Js, 300.0);
        assert_eq!(rules().life_years(&iron).unwrap().0, 50.0);
        iron.material = Some("铸铁".into());
        assert_eq!(rules().life_years(&iron), Some((40.0, Some(Confidence::U))));
        iron.life_years = Some(60);
        assert_eq!(rules().life_years(&iron), Some((60.0, None)));
        let source = [include_str!("rules.rs"), include_str!("clearance.rs")].concat();
        let mut asked = 0;
        for part in source.split(".value(\"").skip(1) {
            let id = part.split('"').next().unwrap();
            assert!(rules().value(id).is_finite(), "{id}");
            asked += 1;
        }
        assert!(asked > 8);
    }
}
