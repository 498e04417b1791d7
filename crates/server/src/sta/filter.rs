//! `$filter` of SensorThings 1.1 (section 9.3.3.5): comparison, logic, a few functions. Read by hand, with bounds on
//! length, depth and number of operators; names come from the entity model, values are never code.

use super::catalog::{Entity, Set};
use crate::{Limits, Problem, problem::short};
use serde_json::Value;
use strata_model::Instant;
use strata_store::Comparison;

#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Time(Instant),
    /// Rings of `[lon, lat]`.
    Polygon(Vec<Vec<[f64; 2]>>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// Names from the entity through its links to a property.
    Path(Vec<String>),
    Literal(Literal),
    Lower(Box<Operand>),
    Upper(Box<Operand>),
    Length(Box<Operand>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Compare(Operand, Comparison, Operand),
    Contains(Operand, Operand),
    StartsWith(Operand, Operand),
    EndsWith(Operand, Operand),
    /// A point inside of a polygon.
    Within(Vec<String>, Literal),
}

pub fn bad(reason: impl Into<String>) -> Problem {
    Problem::parameter("invalid-filter", "$filter", reason)
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
    Comma,
}

fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        match c {
            c if c.is_whitespace() => {
                chars.next();
            }
            '(' | ')' | ',' => {
                chars.next();
                out.push(match c {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    _ => Token::Comma,
                });
            }
            '\'' => {
                chars.next();
                let mut word = String::new();
                loop {
                    match chars.next() {
                        Some('\'') if chars.peek() == Some(&'\'') => {
                            chars.next();
                            word.push('\'');
                        }
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err(bad("a text does not end")),
                    }
                }
                // geography'POLYGON((…))'
                match out.last() {
                    Some(Token::Word(w)) if w == "geography" || w == "geometry" => {
                        out.pop();
                        out.push(Token::Word(format!("geography:{word}")));
                    }
                    _ => out.push(Token::Text(word)),
                }
            }
            _ => {
                let mut word = String::new();
                while let Some(&c) = chars.peek() {
                    if c.is_whitespace() || matches!(c, '(' | ')' | ',' | '\'') {
                        break;
                    }
                    word.push(c);
                    chars.next();
                }
                out.push(Token::Word(word));
            }
        }
    }
    Ok(out)
}

struct Parser<'a> {
    tokens: std::vec::IntoIter<Token>,
    next: Option<Token>,
    now: Instant,
    operators: usize,
    limits: &'a Limits,
}

pub fn parse(text: &str, now: Instant, limits: &Limits) -> Result<Expr, Problem> {
    if text.len() > limits.filter_bytes {
        return Err(Problem::parameter("filter-too-complex", "$filter", format!("at most {} bytes", limits.filter_bytes)));
    }
    let mut tokens = tokens(text)?.into_iter();
    let next = tokens.next();
    let mut p = Parser { tokens, next, now, operators: 0, limits };
    let out = p.either(0)?;
    match p.next {
        None => Ok(out),
        Some(t) => Err(bad(format!("{} was not expected", told(&t)))),
    }
}

fn told(t: &Token) -> String {
    match t {
        Token::Word(w) => format!("`{}`", short(w)),
        Token::Text(w) => format!("'{}'", short(w)),
        Token::Open => "`(`".into(),
        Token::Close => "`)`".into(),
        Token::Comma => "`,`".into(),
    }
}

impl Parser<'_> {
    fn take(&mut self) -> Option<Token> {
        std::mem::replace(&mut self.next, self.tokens.next())
    }
    fn word(&self) -> Option<&str> {
        match &self.next {
            Some(Token::Word(w)) => Some(w),
            _ => None,
        }
    }
    fn expect(&mut self, wanted: &Token) -> Result<(), Problem> {
        match self.take() {
            Some(t) if t == *wanted => Ok(()),
            Some(t) => Err(bad(format!("{} instead of {}", told(&t), told(wanted)))),
            None => Err(bad(format!("it ends before {}", told(wanted)))),
        }
    }
    fn count(&mut self, depth: usize) -> Result<(), Problem> {
        self.operators += 1;
        if self.operators > self.limits.filter_operators || depth > self.limits.filter_depth {
            let most = format!("at most {} operators, {} deep", self.limits.filter_operators, self.limits.filter_depth);
            return Err(Problem::parameter("filter-too-complex", "$filter", most));
        }
        Ok(())
    }

    fn either(&mut self, depth: usize) -> Result<Expr, Problem> {
        let mut all = vec![self.both(depth)?];
        while self.word() == Some("or") {
            self.take();
            self.count(depth)?;
            all.push(self.both(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expr::Or(all) })
    }
    fn both(&mut self, depth: usize) -> Result<Expr, Problem> {
        let mut all = vec![self.one(depth)?];
        while self.word() == Some("and") {
            self.take();
            self.count(depth)?;
            all.push(self.one(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expr::And(all) })
    }
    fn one(&mut self, depth: usize) -> Result<Expr, Problem> {
        self.count(depth)?;
        if self.word() == Some("not") {
            self.take();
            return Ok(Expr::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.next == Some(Token::Open) {
            self.take();
            let inner = self.either(depth + 1)?;
            self.expect(&Token::Close)?;
            return Ok(inner);
        }
        let function = self.word().map(str::to_owned);
        if let Some(name @ ("substringof" | "contains" | "startswith" | "endswith" | "st_within" | "st_intersects" | "geo.intersects")) =
            function.as_deref()
        {
            self.take();
            self.expect(&Token::Open)?;
            let a = self.operand(depth)?;
            self.expect(&Token::Comma)?;
            let b = self.operand(depth)?;
            self.expect(&Token::Close)?;
            let call = match name {
                "substringof" => Expr::Contains(b, a), // the needle comes first
                "contains" => Expr::Contains(a, b),
                "startswith" => Expr::StartsWith(a, b),
                "endswith" => Expr::EndsWith(a, b),
                _ => match (a, b) {
                    (Operand::Path(path), Operand::Literal(p @ Literal::Polygon(_))) => Expr::Within(path, p),
                    _ => return Err(bad(format!("`{name}` wants a location and geography'POLYGON((…))'"))),
                },
            };
            return self.maybe_compared(call);
        }
        let left = self.operand(depth)?;
        let op = match self.take() {
            Some(Token::Word(w)) => operator(&w).ok_or_else(|| bad(format!("`{}` is not one of eq, ne, gt, ge, lt, le", short(&w))))?,
            Some(t) => return Err(bad(format!("{} instead of a comparison", told(&t)))),
            None => return Err(bad("it ends before a comparison")),
        };
        Ok(Expr::Compare(left, op, self.operand(depth)?))
    }
    /// `substringof('a', name) eq true` is said by some clients.
    fn maybe_compared(&mut self, call: Expr) -> Result<Expr, Problem> {
        let Some(op) = self.word().and_then(operator) else { return Ok(call) };
        self.take();
        match (op, self.take()) {
            (Comparison::Eq, Some(Token::Word(w))) if w == "true" => Ok(call),
            (Comparison::Eq, Some(Token::Word(w))) if w == "false" => Ok(Expr::Not(Box::new(call))),
            _ => Err(bad("a function is true or false")),
        }
    }

    fn operand(&mut self, depth: usize) -> Result<Operand, Problem> {
        self.count(depth)?;
        let word = match self.take() {
            Some(Token::Text(t)) => {
                // Clients write times both bare and quoted.
                return Ok(Operand::Literal(Literal::Text(t)));
            }
            Some(Token::Word(w)) => w,
            Some(t) => return Err(bad(format!("{} was not expected", told(&t)))),
            None => return Err(bad("it ends too early")),
        };
        if self.next == Some(Token::Open) {
            self.take();
            if word == "now" {
                self.expect(&Token::Close)?;
                return Ok(Operand::Literal(Literal::Time(self.now)));
            }
            let inner = Box::new(self.operand(depth + 1)?);
            self.expect(&Token::Close)?;
            return match word.as_str() {
                "tolower" => Ok(Operand::Lower(inner)),
                "toupper" => Ok(Operand::Upper(inner)),
                "length" => Ok(Operand::Length(inner)),
                _ => Err(bad(format!("the function `{}` is not offered", short(&word)))),
            };
        }
        if let Some(wkt) = word.strip_prefix("geography:") {
            return polygon(wkt).map(|p| Operand::Literal(Literal::Polygon(p)));
        }
        let literal = match word.as_str() {
            "null" => Some(Literal::Null),
            "true" => Some(Literal::Bool(true)),
            "false" => Some(Literal::Bool(false)),
            w if w.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) => {
                let number = w.parse::<f64>().ok().filter(|v| v.is_finite()).map(Literal::Number);
                // A bare year is a number; a time has a dash.
                number.or_else(|| Instant::parse(w).ok().map(Literal::Time))
            }
            _ => None,
        };
        if let Some(l) = literal {
            return Ok(Operand::Literal(l));
        }
        let path: Vec<String> = word.split('/').map(str::to_owned).collect();
        let fits = |p: &String| !p.is_empty() && p.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '@'));
        if path.iter().all(fits) { Ok(Operand::Path(path)) } else { Err(bad(format!("`{}` is neither a value nor a name", short(&word)))) }
    }
}

fn operator(word: &str) -> Option<Comparison> {
    Some(match word {
        "eq" => Comparison::Eq,
        "ne" => Comparison::Ne,
        "gt" => Comparison::Gt,
        "ge" => Comparison::Ge,
        "lt" => Comparison::Lt,
        "le" => Comparison::Le,
        _ => return None,
    })
}

fn polygon(wkt: &str) -> Result<Vec<Vec<[f64; 2]>>, Problem> {
    let wrong = || bad("a geography is POLYGON((lon lat, …))");
    let wkt = wkt.trim();
    let wkt = wkt.split_once(';').filter(|(srid, _)| srid.starts_with("SRID=")).map_or(wkt, |(_, w)| w);
    let body = wkt.to_ascii_uppercase();
    let body = body.strip_prefix("POLYGON").ok_or_else(wrong)?.trim();
    let body = body.strip_prefix('(').and_then(|b| b.strip_suffix(')')).ok_or_else(wrong)?;
    let mut rings = Vec::new();
    for ring in body.split(')').map(|r| r.trim().trim_start_matches(',').trim()).filter(|r| !r.is_empty()) {
        let ring = ring.strip_prefix('(').ok_or_else(wrong)?;
        let mut points = Vec::new();
        for p in ring.split(',') {
            let numbers: Vec<f64> =
                p.split_whitespace().map(|n| n.parse().ok().filter(|v: &f64| v.is_finite())).collect::<Option<_>>().ok_or_else(wrong)?;
            let [lon, lat] = numbers[..] else { return Err(wrong()) };
            points.push([lon, lat]);
        }
        if points.len() < 4 || points.first() != points.last() {
            return Err(bad("a ring has four points or more and ends where it begins"));
        }
        rings.push(points);
    }
    if rings.is_empty() { Err(wrong()) } else { Ok(rings) }
}

fn inside(rings: &[Vec<[f64; 2]>], [x, y]: [f64; 2]) -> bool {
    rings
        .iter()
        .filter(|ring| {
            ring.windows(2).fold(false, |inside, w| {
                let crosses = (w[0][1] > y) != (w[1][1] > y) && x < (w[1][0] - w[0][0]) * (y - w[0][1]) / (w[1][1] - w[0][1]) + w[0][0];
                inside != crosses
            })
        })
        .count()
        % 2
        == 1
}

/// How an expression finds its way from an entity: to the entities behind a link, and to a property that is worked out
/// when it is asked for.
pub trait World {
    fn linked<'a>(&'a self, set: Set, entity: &Entity, to: Set) -> Vec<&'a Entity>;
    fn worked_out(&self, set: Set, entity: &Entity, name: &str) -> Option<Value>;
}

/// Are the names of the expression those of the set?
pub fn check(expr: &Expr, set: Set) -> Result<(), Problem> {
    let operand = |o: &Operand| {
        let mut o = o;
        loop {
            match o {
                Operand::Path(p) => return check_path(p, set),
                Operand::Literal(_) => return Ok(()),
                Operand::Lower(i) | Operand::Upper(i) | Operand::Length(i) => o = i,
            }
        }
    };
    match expr {
        Expr::And(all) | Expr::Or(all) => all.iter().try_for_each(|e| check(e, set)),
        Expr::Not(e) => check(e, set),
        Expr::Compare(a, _, b) | Expr::Contains(a, b) | Expr::StartsWith(a, b) | Expr::EndsWith(a, b) => {
            operand(a).and_then(|()| operand(b))
        }
        Expr::Within(path, _) => check_path(path, set),
    }
}

pub fn check_path(path: &[String], mut set: Set) -> Result<(), Problem> {
    for (i, name) in path.iter().enumerate() {
        if let Some(nav) = set.nav(name) {
            if nav.to == Set::Observations {
                return Err(bad("a filter does not lead through Observations; ask those"));
            }
            set = nav.to;
        } else if set.properties().contains(&name.as_str()) || (matches!(name.as_str(), "id" | "@iot.id") && i + 1 == path.len()) {
            return Ok(());
        } else {
            return Err(Problem::parameter("unknown-property", "$filter", format!("{} have no `{}`", set.name(), short(name))));
        }
    }
    Err(bad("it compares an entity with a value"))
}

/// Every value at the end of the path; more than one where a link leads to many.
pub fn values(world: &dyn World, set: Set, entity: &Entity, path: &[String]) -> Vec<Value> {
    let Some((first, rest)) = path.split_first() else { return Vec::new() };
    if let Some(nav) = set.nav(first) {
        return world.linked(set, entity, nav.to).into_iter().flat_map(|e| values(world, nav.to, e, rest)).collect();
    }
    if matches!(first.as_str(), "id" | "@iot.id") {
        return vec![Value::from(entity.id.as_ref())];
    }
    let own = entity.body.get(first).cloned().or_else(|| world.worked_out(set, entity, first));
    own.map(|v| rest.iter().fold(v, |v, name| v.get(name).cloned().unwrap_or(Value::Null))).into_iter().collect()
}

impl Expr {
    /// A condition over a link to many holds when it holds for one of them.
    pub fn holds(&self, world: &dyn World, set: Set, entity: &Entity) -> bool {
        let operand = |o: &Operand| operand_values(world, set, entity, o);
        let any = |a: &Operand, b: &Operand, f: &dyn Fn(&Literal, &Literal) -> bool| {
            let b = operand(b);
            operand(a).iter().any(|x| b.iter().any(|y| f(x, y)))
        };
        let texts = |a: &Literal, b: &Literal, f: fn(&str, &str) -> bool| matches!((a, b), (Literal::Text(a), Literal::Text(b)) if f(a, b));
        match self {
            Self::And(all) => all.iter().all(|e| e.holds(world, set, entity)),
            Self::Or(all) => all.iter().any(|e| e.holds(world, set, entity)),
            Self::Not(e) => !e.holds(world, set, entity),
            Self::Compare(a, op, b) => any(a, b, &|x, y| compare(x, *op, y)),
            Self::Contains(a, b) => any(a, b, &|x, y| texts(x, y, |a, b| a.contains(b))),
            Self::StartsWith(a, b) => any(a, b, &|x, y| texts(x, y, |a, b| a.starts_with(b))),
            Self::EndsWith(a, b) => any(a, b, &|x, y| texts(x, y, |a, b| a.ends_with(b))),
            Self::Within(path, Literal::Polygon(rings)) => values(world, set, entity, path).iter().any(|g| {
                let c = &g["coordinates"];
                matches!((c[0].as_f64(), c[1].as_f64()), (Some(x), Some(y)) if inside(rings, [x, y]))
            }),
            Self::Within(..) => false,
        }
    }
}

fn operand_values(world: &dyn World, set: Set, entity: &Entity, operand: &Operand) -> Vec<Literal> {
    let text = |o: &Operand, f: fn(&str) -> Literal| {
        let inner = operand_values(world, set, entity, o);
        inner.into_iter().filter_map(|l| if let Literal::Text(t) = l { Some(f(&t)) } else { None }).collect()
    };
    match operand {
        Operand::Literal(l) => vec![l.clone()],
        Operand::Path(path) => values(world, set, entity, path).into_iter().map(|v| literal(&v)).collect(),
        Operand::Lower(o) => text(o, |t| Literal::Text(t.to_lowercase())),
        Operand::Upper(o) => text(o, |t| Literal::Text(t.to_uppercase())),
        Operand::Length(o) => text(o, |t| Literal::Number(t.chars().count() as f64)),
    }
}

fn literal(v: &Value) -> Literal {
    match v {
        Value::Bool(b) => Literal::Bool(*b),
        Value::Number(n) => Literal::Number(n.as_f64().unwrap_or_default()),
        Value::String(t) => Literal::Text(t.clone()),
        _ => Literal::Null,
    }
}

/// A text beside a time is read as a time; of a span `begin/end` the side counts that makes the whole span lie there.
fn compare(a: &Literal, op: Comparison, b: &Literal) -> bool {
    use std::cmp::Ordering;
    let moment = |t: &str, op: Comparison| {
        let part = match (t.split_once('/'), op) {
            (None, _) => t,
            (Some((_, end)), Comparison::Lt | Comparison::Le) => end,
            (Some((begin, _)), _) => begin,
        };
        Instant::parse(part).ok()
    };
    let order = match (a, b) {
        (Literal::Null, Literal::Null) => Some(Ordering::Equal),
        (Literal::Null, _) | (_, Literal::Null) => return op == Comparison::Ne,
        (Literal::Number(x), Literal::Number(y)) => x.partial_cmp(y),
        (Literal::Bool(x), Literal::Bool(y)) => Some(x.cmp(y)),
        (Literal::Text(x), Literal::Text(y)) => Some(x.cmp(y)),
        (Literal::Time(x), Literal::Time(y)) => Some(x.cmp(y)),
        (Literal::Text(x), Literal::Time(y)) => moment(x, op).map(|x| x.cmp(y)),
        (Literal::Time(x), Literal::Text(y)) => moment(y, op).map(|y| x.cmp(&y)),
        _ => None,
    };
    match (order, op) {
        (None, op) => op == Comparison::Ne,
        (Some(o), Comparison::Eq) => o.is_eq(),
        (Some(o), Comparison::Ne) => o.is_ne(),
        (Some(o), Comparison::Lt) => o.is_lt(),
        (Some(o), Comparison::Le) => o.is_le(),
        (Some(o), Comparison::Gt) => o.is_gt(),
        (Some(o), Comparison::Ge) => o.is_ge(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Alone;
    impl World for Alone {
        fn linked<'a>(&'a self, _: Set, _: &Entity, _: Set) -> Vec<&'a Entity> {
            Vec::new()
        }
        fn worked_out(&self, _: Set, _: &Entity, _: &str) -> Option<Value> {
            None
        }
    }

    fn read(text: &str) -> Result<Expr, Problem> {
        parse(text, Instant::from_ymd(2026, 1, 20), &Limits::default())
    }

    #[test]
    fn expressions_hold_for_what_they_say() {
        let body = json!({
            "name": "压力 V-1", "description": "it's a valve", "properties": { "target_id": "V-1", "n": 3.5, "live": true },
            "location": { "type": "Point", "coordinates": [125.3, 43.9, 200.0] },
            "phenomenonTime": "2026-01-01T00:00:00Z/2026-01-10T00:00:00Z",
        });
        let e = Entity { id: "a".into(), body: super::super::catalog::object(body), ..Entity::default() };
        for (text, holds) in [
            ("name eq '压力 V-1'", true),
            ("description eq 'it''s a valve'", true),
            ("properties/n gt 3 and properties/n le 3.5", true),
            ("properties/n lt 3 or properties/live eq true", true),
            // `and` binds closer than `or`, `not` closer than both.
            ("properties/n gt 0 or properties/n gt 0 and properties/n lt 0", true),
            ("not properties/n gt 0 or properties/n gt 0", true),
            ("not (properties/n gt 0 or properties/n gt 0)", false),
            ("properties/none eq null", true),
            ("properties/none gt 1", false),
            ("properties/none ne 1", true),
            ("id eq 'a' and startswith(name,'压') and endswith(name, '1')", true),
            ("substringof('valve', description)", true),
            ("substringof('valve', description) eq false", false),
            ("contains(tolower(name), 'v-') and length(name) eq 6", true),
            ("phenomenonTime gt 2025-12-31T00:00:00Z", true),
            ("phenomenonTime lt 2026-01-05T00:00:00Z", false), // the span ends later
            ("phenomenonTime lt now()", true),
            ("st_within(location, geography'POLYGON((125 43, 126 43, 126 44, 125 44, 125 43))')", true),
            (
                "geo.intersects(location, geography'SRID=4326;POLYGON((125 43, 126 43, 126 44, 125 44, 125 43),(125.2 43.8,125.4 43.8,125.4 44,125.2 44,125.2 43.8))')",
                false,
            ),
        ] {
            assert_eq!(read(text).map(|x| x.holds(&Alone, Set::Things, &e)), Ok(holds), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for text in [
            "",
            "name",
            "name eq",
            "name eq 'a",
            "name is 'a'",
            "(name eq 'a'",
            "name eq 'a')",
            "name eq 'a' and",
            "eq eq eq eq",
            "a b c",
            "drop('x') eq 1",
            "name eq 1; DROP",
            "st_within(location, 'x')",
            "st_within(location, geography'POINT(1 2)')",
            "st_within(location, geography'POLYGON((0 0,1 1,0 0))')",
            "now( eq 1",
        ] {
            assert_eq!(read(text).map_err(|p| p.code), Err("invalid-filter"), "{text}");
        }
        let deep = format!("{}name eq 'a'{}", "(".repeat(100), ")".repeat(100));
        let many = vec!["name eq 'a'"; 200].join(" or ");
        let not = format!("{}name eq 'a'", "not ".repeat(200));
        for text in [deep, many, not, "x".repeat(9000), "tolower(".repeat(500)] {
            assert_eq!(read(&text).map_err(|p| p.code), Err("filter-too-complex"), "{}", &text[..40]);
        }
        for (text, set) in [("nothing eq 1", Set::Things), ("Thing/none eq 1", Set::Datastreams), ("result eq 1", Set::Things)] {
            assert_eq!(read(text).and_then(|e| check(&e, set)).map_err(|p| p.code), Err("unknown-property"), "{text}");
        }
        assert_eq!(read("Datastreams/Thing/name eq 'x'").and_then(|e| check(&e, Set::Things)), Ok(()));
    }
}
