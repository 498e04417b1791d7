//! Attribute filters: the part of CQL2 that every door needs. Text in, tree out; limits on depth and size.

use crate::{Feature, Layer, ModelError, Scope, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    Compare {
        name: String,
        op: CompareOp,
        value: Value,
    },
    In {
        name: String,
        values: Vec<Value>,
    },
    /// SQL pattern: `%` any run, `_` one character; case matters.
    Like {
        name: String,
        pattern: String,
    },
    Between {
        name: String,
        low: Value,
        high: Value,
    },
    IsNull {
        name: String,
    },
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
}

const MAX_BYTES: usize = 8 * 1024;
const MAX_DEPTH: usize = 32;
const MAX_OPS: usize = 256;

impl Filter {
    /// CQL2 text: comparisons, IN, LIKE, BETWEEN, IS [NOT] NULL, AND, OR, NOT, parentheses.
    /// At most 8 KiB, 256 operators and 32 levels.
    pub fn parse_cql2(text: &str) -> Result<Self, ModelError> {
        if text.len() > MAX_BYTES {
            return Err(ModelError::FilterTooComplex { reason: "it is longer than 8 KiB" });
        }
        let mut p = Parser { tokens: tokens(text)?, at: 0, ops: 0 };
        let filter = p.or(0)?;
        match p.tokens.get(p.at) {
            None => Ok(filter),
            Some((at, t)) => Err(ModelError::FilterSyntax { at: *at, reason: format!("unexpected `{t:?}`") }),
        }
    }
    /// Every attribute it names must exist and be visible; the answer for a hidden one is that for a missing one.
    pub fn check(&self, layer: &Layer, scope: &Scope) -> Result<(), ModelError> {
        match self {
            Self::And(fs) | Self::Or(fs) => fs.iter().try_for_each(|f| f.check(layer, scope)),
            Self::Not(f) => f.check(layer, scope),
            Self::Compare { name, .. }
            | Self::In { name, .. }
            | Self::Like { name, .. }
            | Self::Between { name, .. }
            | Self::IsNull { name } => {
                if scope.sees_attribute(layer, name) {
                    Ok(())
                } else {
                    Err(ModelError::UnknownAttribute { layer: layer.id.to_string(), name: name.clone() })
                }
            }
        }
    }
    /// Unknown (a null or a comparison of unlike kinds) counts as false, also under NOT of a null.
    pub fn matches(&self, layer: &Layer, feature: &Feature) -> bool {
        self.eval(layer, feature) == Some(true)
    }
    fn eval(&self, layer: &Layer, feature: &Feature) -> Option<bool> {
        let get = |name: &str| feature.value(layer, name).filter(|v| !v.is_null());
        match self {
            Self::Compare { name, op, value } => compare(get(name)?, value).map(|o| match op {
                CompareOp::Eq => o.is_eq(),
                CompareOp::Ne => o.is_ne(),
                CompareOp::Lt => o.is_lt(),
                CompareOp::Le => o.is_le(),
                CompareOp::Gt => o.is_gt(),
                CompareOp::Ge => o.is_ge(),
            }),
            Self::In { name, values } => {
                let v = get(name)?;
                Some(values.iter().any(|w| compare(v, w).is_some_and(|o| o.is_eq())))
            }
            Self::Like { name, pattern } => get(name)?.as_str().map(|t| like(t, pattern)),
            Self::Between { name, low, high } => {
                let v = get(name)?;
                Some(compare(v, low)?.is_ge() && compare(v, high)?.is_le())
            }
            Self::IsNull { name } => Some(get(name).is_none()),
            Self::And(fs) => fold(fs.iter().map(|f| f.eval(layer, feature)), false),
            Self::Or(fs) => fold(fs.iter().map(|f| f.eval(layer, feature)), true),
            Self::Not(f) => f.eval(layer, feature).map(|b| !b),
        }
    }
}

/// Three-valued AND (`stop` = false) and OR (`stop` = true).
fn fold(items: impl Iterator<Item = Option<bool>>, stop: bool) -> Option<bool> {
    let mut unknown = false;
    for i in items {
        match i {
            Some(b) if b == stop => return Some(stop),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(!stop)
}

fn compare(a: &Value, b: &Value) -> Option<std::cmp::Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// Greedy two-pointer match: linear in text × number of `%`, no recursion.
fn like(text: &str, pattern: &str) -> bool {
    let (t, p): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut i, mut j, mut star, mut mark) = (0, 0, None, 0);
    while i < t.len() {
        if j < p.len() && p[j] == '%' {
            star = Some(j);
            mark = i;
            j += 1;
        } else if j < p.len() && (p[j] == '_' || p[j] == t[i]) {
            i += 1;
            j += 1;
        } else if let Some(s) = star {
            j = s + 1;
            mark += 1;
            i = mark;
        } else {
            return false;
        }
    }
    p[j..].iter().all(|&c| c == '%')
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Text(String),
    Number(f64),
    Sign(&'static str),
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ModelError> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let (start, c) = (i, chars[i]);
        if c.is_whitespace() {
            i += 1;
        } else if c == '\'' || c == '"' {
            let mut s = String::new();
            i += 1;
            loop {
                match chars.get(i) {
                    None => return Err(ModelError::FilterSyntax { at: start, reason: "a quote without its end".into() }),
                    Some(&q) if q == c && chars.get(i + 1) == Some(&c) => {
                        s.push(c);
                        i += 2;
                    }
                    Some(&q) if q == c => break,
                    Some(&q) => {
                        s.push(q);
                        i += 1;
                    }
                }
            }
            i += 1;
            out.push((start, if c == '"' { Token::Quoted(s) } else { Token::Text(s) }));
        } else if c.is_ascii_digit() || (matches!(c, '-' | '+' | '.') && chars.get(i + 1).is_some_and(char::is_ascii_digit)) {
            i += 1;
            while i < chars.len()
                && (chars[i].is_ascii_digit()
                    || matches!(chars[i], '.' | 'e' | 'E')
                    || (matches!(chars[i], '-' | '+') && matches!(chars[i - 1], 'e' | 'E')))
            {
                i += 1;
            }
            let s: String = chars[start..i].iter().collect();
            match s.parse::<f64>() {
                Ok(v) if v.is_finite() => out.push((start, Token::Number(v))),
                _ => return Err(ModelError::FilterSyntax { at: start, reason: format!("`{s}` is no number") }),
            }
        } else if c.is_alphabetic() || c == '_' {
            while i < chars.len() && (chars[i].is_alphanumeric() || matches!(chars[i], '_' | ':' | '.')) {
                i += 1;
            }
            out.push((start, Token::Word(chars[start..i].iter().collect())));
        } else {
            let two: String = chars[i..(i + 2).min(chars.len())].iter().collect();
            let sign = ["<=", ">=", "<>", "!="]
                .into_iter()
                .find(|s| *s == two)
                .or_else(|| ["=", "<", ">", "(", ")", ","].into_iter().find(|s| two.starts_with(s)));
            let Some(sign) = sign else {
                return Err(ModelError::FilterSyntax { at: start, reason: format!("unexpected `{c}`") });
            };
            i += sign.len();
            out.push((start, Token::Sign(sign)));
        }
    }
    Ok(out)
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    ops: usize,
}

impl Parser {
    fn fault<T>(&self, reason: &str) -> Result<T, ModelError> {
        let at = self.tokens.get(self.at).or(self.tokens.last()).map_or(0, |t| t.0);
        Err(ModelError::FilterSyntax { at, reason: reason.into() })
    }
    fn word(&mut self, word: &str) -> bool {
        let hit = matches!(self.tokens.get(self.at), Some((_, Token::Word(w))) if w.eq_ignore_ascii_case(word));
        self.at += usize::from(hit);
        hit
    }
    fn sign(&mut self, sign: &str) -> bool {
        let hit = matches!(self.tokens.get(self.at), Some((_, Token::Sign(s))) if *s == sign);
        self.at += usize::from(hit);
        hit
    }
    fn op(&mut self) -> Result<(), ModelError> {
        self.ops += 1;
        if self.ops > MAX_OPS { Err(ModelError::FilterTooComplex { reason: "it has more than 256 operators" }) } else { Ok(()) }
    }
    fn or(&mut self, depth: usize) -> Result<Filter, ModelError> {
        if depth > MAX_DEPTH {
            return Err(ModelError::FilterTooComplex { reason: "it is nested more than 32 deep" });
        }
        let mut all = vec![self.and(depth)?];
        while self.word("or") {
            self.op()?;
            all.push(self.and(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Filter::Or(all) })
    }
    fn and(&mut self, depth: usize) -> Result<Filter, ModelError> {
        let mut all = vec![self.not(depth)?];
        while self.word("and") {
            self.op()?;
            all.push(self.not(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Filter::And(all) })
    }
    fn not(&mut self, depth: usize) -> Result<Filter, ModelError> {
        if depth > MAX_DEPTH {
            return Err(ModelError::FilterTooComplex { reason: "it is nested more than 32 deep" });
        }
        if self.word("not") {
            self.op()?;
            return Ok(Filter::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.sign("(") {
            let inner = self.or(depth + 1)?;
            return if self.sign(")") { Ok(inner) } else { self.fault("a `)` is missing") };
        }
        self.predicate()
    }
    fn value(&mut self) -> Result<Value, ModelError> {
        let value = match self.tokens.get(self.at) {
            Some((_, Token::Text(t))) => Value::from(t.as_str()),
            Some((_, Token::Number(v))) => Value::Float(*v),
            Some((_, Token::Word(w))) if w.eq_ignore_ascii_case("true") => Value::Bool(true),
            Some((_, Token::Word(w))) if w.eq_ignore_ascii_case("false") => Value::Bool(false),
            _ => return self.fault("a value is missing"),
        };
        self.at += 1;
        Ok(value)
    }
    fn predicate(&mut self) -> Result<Filter, ModelError> {
        self.op()?;
        let name = match self.tokens.get(self.at) {
            Some((_, Token::Word(w) | Token::Quoted(w))) => w.clone(),
            _ => return self.fault("an attribute name is missing"),
        };
        self.at += 1;
        if self.word("is") {
            let not = self.word("not");
            if !self.word("null") {
                return self.fault("IS wants NULL or NOT NULL");
            }
            let is_null = Filter::IsNull { name };
            return Ok(if not { Filter::Not(Box::new(is_null)) } else { is_null });
        }
        let not = self.word("not");
        let filter = if self.word("like") {
            match self.value()? {
                Value::Text(t) => Filter::Like { name, pattern: t.to_string() },
                _ => return self.fault("LIKE wants a text"),
            }
        } else if self.word("between") {
            let low = self.value()?;
            if !self.word("and") {
                return self.fault("BETWEEN wants AND");
            }
            Filter::Between { name, low, high: self.value()? }
        } else if self.word("in") {
            if !self.sign("(") {
                return self.fault("IN wants a list");
            }
            let mut values = vec![self.value()?];
            while self.sign(",") {
                self.op()?;
                values.push(self.value()?);
            }
            if !self.sign(")") {
                return self.fault("a `)` is missing");
            }
            Filter::In { name, values }
        } else {
            let ops = [
                ("=", CompareOp::Eq),
                ("<>", CompareOp::Ne),
                ("!=", CompareOp::Ne),
                ("<=", CompareOp::Le),
                (">=", CompareOp::Ge),
                ("<", CompareOp::Lt),
                (">", CompareOp::Gt),
            ];
            let Some(op) = ops.into_iter().find_map(|(s, op)| self.sign(s).then_some(op)) else {
                return self.fault("a comparison is missing");
            };
            Filter::Compare { name, op, value: self.value()? }
        };
        Ok(if not { Filter::Not(Box::new(filter)) } else { filter })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Classification, Field, FieldKind, Geometry, GeometryKind, Interval, LayerId, Theme};

    fn layer() -> Layer {
        Layer {
            id: LayerId::new("buildings").expect("an id"),
            title_zh: "建筑".into(),
            title_en: "Buildings".into(),
            theme: Theme::Building,
            geometry: GeometryKind::Polygon,
            cim_level: 3,
            category: 'B',
            classification: Classification::Public,
            synthetic: true,
            source: String::new(),
            fields: vec![
                Field::new("floors", FieldKind::Int, "层数", "floors"),
                Field::new("use", FieldKind::Text, "用途", "use"),
                Field::new("owner", FieldKind::Text, "权属", "owner").classified(Classification::Secret),
            ],
        }
    }

    #[test]
    fn filters_say_what_they_mean() {
        let layer = layer();
        let f = Feature {
            id: "a".into(),
            geometry: Geometry::Point([0.0; 3]),
            valid: Interval::ALWAYS,
            attributes: vec![Value::Int(6), "住宅".into(), Value::Null],
        };
        for (text, want) in [
            ("floors = 6", true),
            ("floors > 6 OR use = '住宅'", true),
            ("NOT (floors >= 6)", false),
            ("use LIKE '住%' AND floors BETWEEN 1 AND 6", true),
            ("use NOT IN ('办公', '商业')", true),
            ("owner IS NULL", true),
            ("owner <> 'x'", false),
            ("NOT owner = 'x'", false),
            ("use = 6", false),
        ] {
            let filter = Filter::parse_cql2(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(filter.matches(&layer, &f), want, "{text}");
        }
    }

    #[test]
    fn too_much_and_nonsense_are_refused() {
        for text in ["", "floors", "floors = ", "(floors = 1", "floors = 1)", "floors = 'x", "; DROP TABLE", "floors = 1e999"] {
            assert!(matches!(Filter::parse_cql2(text), Err(ModelError::FilterSyntax { .. })), "{text}");
        }
        let deep = format!("{}floors = 1{}", "(".repeat(1600), ")".repeat(1600));
        let nots = format!("{} floors = 1", "NOT ".repeat(1600));
        let wide = vec!["a=1"; 10_000].join(" OR ");
        for text in [deep, nots, wide] {
            assert!(matches!(Filter::parse_cql2(&text), Err(ModelError::FilterTooComplex { .. })));
        }
    }

    #[test]
    fn a_hidden_attribute_is_a_missing_one() {
        let layer = layer();
        let hidden = Filter::parse_cql2("owner = 'x'").expect("parses").check(&layer, &Scope::public());
        let missing = Filter::parse_cql2("nobody = 'x'").expect("parses").check(&layer, &Scope::public());
        assert!(matches!(hidden, Err(ModelError::UnknownAttribute { .. })) && matches!(missing, Err(ModelError::UnknownAttribute { .. })));
    }
}
