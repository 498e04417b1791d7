//! The `$` options of a request, also those inside of an `$expand`.

use super::{
    catalog::{Nav, Set},
    filter::{self, Expr},
};
use crate::{Limits, Problem, problem::short};
use strata_model::Instant;
use strata_store::Bound;

#[derive(Default)]
pub struct Options {
    pub filter: Option<Expr>,
    pub select: Option<Vec<String>>,
    pub expand: Vec<Expand>,
    /// Path and whether from the greatest to the least.
    pub order: Vec<(Vec<String>, bool)>,
    pub top: Option<usize>,
    pub skip: usize,
    pub count: bool,
    /// The last one of the page before.
    pub after: Option<(Bound, u64)>,
    pub data_array: bool,
}

pub struct Expand {
    pub nav: &'static Nav,
    pub options: Options,
}

/// How deep an `$expand` may lead.
const DEPTH: usize = 4;

pub struct Reader<'a> {
    pub now: Instant,
    pub limits: &'a Limits,
}

fn bad(name: &str, reason: impl Into<String>) -> Problem {
    Problem::parameter("invalid-parameter", name, reason)
}

impl Reader<'_> {
    /// `set`: what the options are about.
    pub fn read<'p>(&self, pairs: impl Iterator<Item = (&'p str, &'p str)>, set: Set, depth: usize) -> Result<Options, Problem> {
        let mut out = Options::default();
        for (name, value) in pairs {
            match name {
                "$filter" => {
                    let expr = filter::parse(value, self.now, self.limits)?;
                    filter::check(&expr, set)?;
                    out.filter = Some(expr);
                }
                "$select" => {
                    let names: Vec<String> = value.split(',').map(|n| n.trim().to_owned()).collect();
                    for n in &names {
                        let known = set.properties().contains(&n.as_str())
                            || set.nav(n).is_some()
                            || matches!(n.as_str(), "id" | "@iot.id" | "@iot.selfLink");
                        if !known {
                            return Err(Problem::parameter("unknown-property", name, format!("{} have no `{}`", set.name(), short(n))));
                        }
                    }
                    out.select = Some(names);
                }
                "$expand" => out.expand = self.expand(value, set, depth)?,
                "$orderby" => {
                    for item in value.split(',').map(str::trim) {
                        let (path, way) = item.split_once(' ').unwrap_or((item, "asc"));
                        let descending = match way.trim() {
                            "asc" => false,
                            "desc" => true,
                            other => return Err(bad(name, format!("`{}` is neither asc nor desc", short(other)))),
                        };
                        let path: Vec<String> = path.split('/').map(str::to_owned).collect();
                        filter::check_path(&path, set)
                            .map_err(|p| Problem::parameter(p.code, name, format!("`{}` cannot be sorted by", short(item))))?;
                        out.order.push((path, descending));
                    }
                }
                "$top" => out.top = Some(self.number(name, value)?),
                "$skip" => {
                    out.skip = self.number(name, value)?;
                    if out.skip > self.limits.max_offset {
                        return Err(bad(name, format!("at most {}; follow @iot.nextLink instead", self.limits.max_offset)));
                    }
                }
                "$count" => {
                    out.count = match value {
                        "true" => true,
                        "false" => false,
                        _ => return Err(bad(name, "true or false is wanted")),
                    }
                }
                "$skiptoken" if depth == 0 && set == Set::Observations => {
                    let token = value.split_once(',').and_then(|(v, id)| {
                        let bound = match v.strip_prefix('f') {
                            Some(f) => Bound::Float(f.parse().ok().filter(|x: &f64| x.is_finite())?),
                            None => Bound::Int(v.parse().ok()?),
                        };
                        Some((bound, id.parse().ok()?))
                    });
                    out.after = Some(token.ok_or_else(|| bad(name, "it is not from one of our links"))?);
                }
                "resultFormat" | "$resultFormat" if depth == 0 && set == Set::Observations => {
                    if !value.eq_ignore_ascii_case("dataArray") {
                        return Err(bad(name, "dataArray is offered"));
                    }
                    out.data_array = true;
                }
                _ => return Err(Problem::parameter("unknown-parameter", name, "it is not known here")),
            }
        }
        Ok(out)
    }

    fn number(&self, name: &str, value: &str) -> Result<usize, Problem> {
        let digits = !value.is_empty() && value.len() <= 18 && value.bytes().all(|b| b.is_ascii_digit());
        let n = digits.then(|| value.parse::<usize>().ok()).flatten();
        n.ok_or_else(|| bad(name, format!("`{}` is not a whole number from 0 on", short(value))))
    }

    /// `Datastreams($select=name;$expand=ObservedProperty),Locations`, `Thing/Locations`.
    fn expand(&self, text: &str, set: Set, depth: usize) -> Result<Vec<Expand>, Problem> {
        let no = |reason: String| bad("$expand", reason);
        if depth >= DEPTH {
            return Err(no(format!("at most {DEPTH} deep")));
        }
        let mut out: Vec<Expand> = Vec::new();
        for item in split(text, ',').ok_or_else(|| no("its parentheses do not match".into()))? {
            let (head, inner) = match item.find('(') {
                Some(i) => {
                    let inner = item[i + 1..].strip_suffix(')').ok_or_else(|| no(format!("`{}` does not end with `)`", short(&item))))?;
                    (&item[..i], Some(inner))
                }
                None => (item.as_str(), None),
            };
            let (name, rest) = head.trim().split_once('/').map_or((head.trim(), None), |(n, r)| (n, Some(r)));
            let nav = set.nav(name).ok_or_else(|| no(format!("{} have no `{}` to expand", set.name(), short(name))))?;
            let options = match rest {
                // A path expands what lies on the way.
                Some(rest) => {
                    let rest = inner.map_or_else(|| rest.to_owned(), |i| format!("{rest}({i})"));
                    Options { expand: self.expand(&rest, nav.to, depth + 1)?, ..Options::default() }
                }
                None => {
                    let parts = split(inner.unwrap_or_default(), ';').ok_or_else(|| no("its parentheses do not match".into()))?;
                    let pairs: Vec<(&str, &str)> = parts
                        .iter()
                        .filter(|p| !p.trim().is_empty())
                        .map(|p| p.trim().split_once('=').ok_or_else(|| no(format!("`{}` has no value", short(p)))))
                        .collect::<Result<_, _>>()?;
                    self.read(pairs.into_iter(), nav.to, depth + 1)?
                }
            };
            match out.iter_mut().find(|e| std::ptr::eq(e.nav, nav)) {
                Some(known) => known.options.expand.extend(options.expand),
                None => out.push(Expand { nav, options }),
            }
        }
        Ok(out)
    }
}

/// Parts between separators that stand outside of parentheses and quotes; `None` when those do not match.
pub fn split(text: &str, separator: char) -> Option<Vec<String>> {
    let (mut out, mut depth, mut quoted) = (vec![String::new()], 0usize, false);
    for c in text.chars() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if c == separator && depth == 0 && !quoted {
            out.push(String::new());
        } else if let Some(last) = out.last_mut() {
            last.push(c);
        }
    }
    (depth == 0 && !quoted).then_some(out)
}
