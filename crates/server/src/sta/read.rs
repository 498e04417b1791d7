//! Answers to `GET`.

use super::{
    catalog::{Catalog, Entity, Set},
    filter::{self, Expr, Literal, Operand, World},
    options::{Options, Reader},
    path::{Place, resolve, streams_of},
};
use crate::{Ask, CityState, Problem, Reply, ask::encoded, problem::short, reply::JSON};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use strata_model::Instant;
use strata_store::{Bound, Column, Comparison, Observation, ObservationQuery, Order, Where};

const DEFAULT_TOP: usize = 100;
/// Entities in one answer, expanded ones included.
const MAX_EXPANDED: usize = 20_000;

pub const ROOT: &str = "/sta/v1.1";

struct Context<'a> {
    state: &'a CityState,
    catalog: &'a Catalog,
    base: String,
    room: AtomicUsize,
}

/// The service's root document.
pub fn root(state: &CityState, _: &Ask) -> Result<Reply, Problem> {
    let base = format!("{}{ROOT}", state.base());
    let sets: Vec<Value> = Set::ALL.iter().map(|s| json!({ "name": s.name(), "url": format!("{base}/{}", s.name()) })).collect();
    let spec = "http://www.opengis.net/spec/iot_sensing/1.1/req";
    let mut conformance: Vec<String> = [
        "datamodel",
        "resource-path/resource-path-to-entities",
        "request-data",
        "create-update-delete/create-entity",
        "create-update-delete/link-to-existing-entities",
        "create-update-delete/deep-insert",
        "data-array/data-array",
    ]
    .map(|c| format!("{spec}/{c}"))
    .into();
    let mut settings = Map::new();
    if let Some(address) = state.mqtt.get() {
        for c in ["create-observations-via-mqtt/observations-creation", "receive-updates-via-mqtt/receive-updates"] {
            conformance.push(format!("{spec}/{c}"));
            settings.insert(format!("{spec}/{c}"), json!({ "endpoints": [format!("mqtt://{address}")] }));
        }
    }
    settings.insert("conformance".into(), json!(conformance));
    Ok(Reply::json(&json!({ "value": sets, "serverSettings": settings })))
}

/// Any entity, set of entities, or property.
pub fn get(state: &CityState, ask: &Ask) -> Result<Reply, Problem> {
    let catalog = Catalog::of(state, &ask.actor.scope)?;
    let path = match ask.part("path") {
        "" => ask.path.strip_prefix(ROOT).unwrap_or_default().trim_matches('/'),
        p => p,
    };
    let resolved = resolve(state, &catalog, path)?;
    let context = Context { state, catalog: &catalog, base: format!("{}{ROOT}", state.base()), room: AtomicUsize::new(MAX_EXPANDED) };
    let reader = Reader { now: state.now(), limits: state.limits() };
    let pairs = || ask.query.0.iter().map(|(k, v)| (k.as_str(), v.as_str()));
    let here = |changes: &[(&str, String)], drop: &str| {
        let mut q = ask.query.clone();
        q.0.remove(drop);
        let path = path
            .split('/')
            .map(|s| encoded(s).replace("%28", "(").replace("%29", ")").replace("%27", "'").replace("%24", "$"))
            .collect::<Vec<_>>();
        format!("{}/{}?{}", context.base, path.join("/"), q.with(changes).replace("%24", "$"))
    };
    match resolved.place {
        Place::Property { name, value, bare } => {
            ask.query.only(|_| false)?;
            if bare {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                return Ok(Reply::new("text/plain; charset=utf-8", text));
            }
            Ok(Reply::json(&json!({ name: value })))
        }
        Place::One { set, entity } => {
            let options = reader.read(pairs(), set, 0)?;
            let plain =
                options.filter.is_none() && options.order.is_empty() && options.top.is_none() && options.skip == 0 && !options.count;
            if !plain || options.data_array || options.after.is_some() {
                return Err(Problem::parameter("unknown-parameter", "$filter", "one entity takes $select and $expand"));
            }
            if resolved.refs {
                return Ok(Reply::json(&json!({ "@iot.selfLink": context.link(set, &entity) })));
            }
            Ok(Reply::json(&context.entity(set, &entity, &options)?))
        }
        Place::Many { set, only } => {
            let options = reader.read(pairs(), set, 0)?;
            let page = context.page(set, only.as_deref(), &options)?;
            let mut out = Map::new();
            if options.count {
                out.insert("@iot.count".into(), page.matched.into());
            }
            let top = context.top(&options);
            if page.more && top > 0 {
                out.insert("@iot.nextLink".into(), here(&[("$skip", (options.skip + top).to_string())], "").into());
            }
            let value = match resolved.refs {
                true => page.entities.iter().map(|e| json!({ "@iot.selfLink": context.link(set, e) })).collect(),
                false => page.entities.iter().map(|e| context.entity(set, e, &options)).collect::<Result<Vec<_>, _>>()?,
            };
            out.insert("value".into(), value.into());
            Ok(Reply { media_type: JSON, ..Reply::json(&Value::Object(out)) })
        }
        Place::Observations { streams } => {
            let options = reader.read(pairs(), Set::Observations, 0)?;
            let page = context.observations(streams, &options)?;
            let mut out = Map::new();
            if let Some(n) = page.matched {
                out.insert("@iot.count".into(), n.into());
            }
            if let Some(next) = page.next {
                let link = match next {
                    Next::Token(t) => here(&[("$skiptoken", t)], "$skip"),
                    Next::Skip(n) => here(&[("$skip", n.to_string())], ""),
                };
                out.insert("@iot.nextLink".into(), link.into());
            }
            let value = if resolved.refs {
                page.rows.iter().map(|o| json!({ "@iot.selfLink": format!("{}/Observations({})", context.base, o.id) })).collect()
            } else if options.data_array {
                context.data_arrays(&page.rows, &options)
            } else {
                let each = page.rows.iter().map(|o| context.entity(Set::Observations, &observation_entity(context.catalog, o), &options));
                each.collect::<Result<Vec<_>, _>>()?
            };
            out.insert("value".into(), value.into());
            Ok(Reply::json(&Value::Object(out)))
        }
    }
}

/// A property of an entity, also one that is worked out.
pub fn property(state: &CityState, set: Set, entity: &Entity, name: &str) -> Result<Option<Value>, Problem> {
    if let Some(v) = entity.body.get(name) {
        return Ok((!v.is_null()).then(|| v.clone()));
    }
    match (set, name, &state.live) {
        (Set::Datastreams, "phenomenonTime", Some(live)) => {
            Ok(live.observations.extent(&entity.id)?.map(|(a, b)| format!("{}/{}", moment(a), moment(b)).into()))
        }
        _ => Ok(None),
    }
}

/// Always with its clock, in UTC.
pub fn moment(at: Instant) -> String {
    let text = at.to_string();
    if text.contains('T') { text } else { format!("{text}T00:00:00Z") }
}

pub fn observation_entity(catalog: &Catalog, o: &Observation) -> Entity {
    let mut body = Map::new();
    let at = match o.until {
        Some(end) => format!("{}/{}", moment(o.at), moment(end)),
        None => moment(o.at),
    };
    body.insert("phenomenonTime".into(), at.into());
    body.insert("resultTime".into(), o.result_at.map_or(Value::Null, |t| moment(t).into()));
    body.insert("result".into(), o.result.into());
    if let Some(p) = o.parameters.as_deref().and_then(|p| serde_json::from_str(p).ok()) {
        body.insert("parameters".into(), p);
    }
    let mut links = BTreeMap::from([(Set::Datastreams, vec![o.stream.clone()])]);
    if let Some(interest) = catalog.interest_of(&o.stream) {
        links.insert(Set::FeaturesOfInterest, vec![interest.id.clone()]);
    }
    Entity { id: o.id.to_string().into(), body, links }
}

/// As MQTT subscribers get it.
pub fn observation_json(state: &CityState, catalog: &Catalog, o: &Observation) -> Value {
    let place = format!("{}{ROOT}/Observations({})", state.base(), o.id);
    let mut out = Map::new();
    out.insert("@iot.id".into(), o.id.into());
    out.insert("@iot.selfLink".into(), place.as_str().into());
    for nav in Set::Observations.navs() {
        out.insert(format!("{}@iot.navigationLink", nav.name), format!("{place}/{}", nav.name).into());
    }
    out.extend(observation_entity(catalog, o).body);
    Value::Object(out)
}

struct Page<'a> {
    entities: Vec<&'a Entity>,
    matched: usize,
    more: bool,
}

enum Next {
    Token(String),
    Skip(usize),
}

struct Observed {
    rows: Vec<Observation>,
    matched: Option<u64>,
    next: Option<Next>,
}

impl World for Context<'_> {
    fn linked<'a>(&'a self, _: Set, entity: &Entity, to: Set) -> Vec<&'a Entity> {
        entity.links.get(&to).into_iter().flatten().filter_map(|id| self.catalog.get(to, id)).collect()
    }
    fn worked_out(&self, set: Set, entity: &Entity, name: &str) -> Option<Value> {
        property(self.state, set, entity, name).ok().flatten()
    }
}

impl Context<'_> {
    fn top(&self, options: &Options) -> usize {
        options.top.unwrap_or(DEFAULT_TOP).min(self.state.limits().max_items)
    }

    fn link(&self, set: Set, entity: &Entity) -> String {
        match set {
            Set::Observations => format!("{}/Observations({})", self.base, entity.id),
            _ => format!("{}/{}('{}')", self.base, set.name(), encoded(&entity.id.replace('\'', "''"))),
        }
    }

    fn entity(&self, set: Set, entity: &Entity, options: &Options) -> Result<Value, Problem> {
        let spent = self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |r| r.checked_sub(1));
        if spent.is_err() {
            return Err(Problem::parameter(
                "invalid-parameter",
                "$expand",
                format!("the answer holds more than {MAX_EXPANDED} entities; ask for less"),
            ));
        }
        let link = self.link(set, entity);
        let wanted = |name: &str| options.select.as_ref().is_none_or(|s| s.iter().any(|n| n == name));
        let mut out = Map::new();
        if options.select.is_none() || wanted("id") || wanted("@iot.id") {
            let id = entity.id.parse::<u64>().ok().filter(|_| set == Set::Observations);
            out.insert("@iot.id".into(), id.map_or_else(|| entity.id.as_ref().into(), Value::from));
        }
        if options.select.is_none() || wanted("@iot.selfLink") {
            out.insert("@iot.selfLink".into(), link.as_str().into());
        }
        for name in set.properties() {
            if wanted(name)
                && let Some(v) = entity.body.get(*name).cloned().map_or_else(|| property(self.state, set, entity, name), |v| Ok(Some(v)))?
            {
                out.insert((*name).into(), v);
            }
        }
        for nav in set.navs() {
            let Some(expand) = options.expand.iter().find(|e| e.nav.name == nav.name) else {
                if wanted(nav.name) {
                    out.insert(format!("{}@iot.navigationLink", nav.name), format!("{link}/{}", nav.name).into());
                }
                continue;
            };
            let o = &expand.options;
            let value = match (nav.to, nav.many) {
                (Set::Observations, _) => {
                    let page = self.observations(Some(streams_of(self.catalog, set, entity)), o)?;
                    if let Some(n) = page.matched {
                        out.insert(format!("{}@iot.count", nav.name), n.into());
                    }
                    if page.next.is_some() {
                        out.insert(format!("{}@iot.nextLink", nav.name), self.further(&link, nav.name, o).into());
                    }
                    let each = page.rows.iter().map(|x| self.entity(Set::Observations, &observation_entity(self.catalog, x), o));
                    each.collect::<Result<Vec<_>, _>>()?.into()
                }
                (to, true) => {
                    let ids = entity.links.get(&to).cloned().unwrap_or_default();
                    let page = self.page(to, Some(&ids), o)?;
                    if o.count {
                        out.insert(format!("{}@iot.count", nav.name), page.matched.into());
                    }
                    if page.more {
                        out.insert(format!("{}@iot.nextLink", nav.name), self.further(&link, nav.name, o).into());
                    }
                    page.entities.iter().map(|e| self.entity(to, e, o)).collect::<Result<Vec<_>, _>>()?.into()
                }
                (to, false) => match entity.links.get(&to).and_then(|l| l.first()).and_then(|id| self.catalog.get(to, id)) {
                    Some(e) => self.entity(to, e, o)?,
                    None => Value::Null,
                },
            };
            out.insert(nav.name.into(), value);
        }
        Ok(Value::Object(out))
    }

    fn further(&self, link: &str, nav: &str, options: &Options) -> String {
        let top = self.top(options);
        format!("{link}/{nav}?$top={top}&$skip={}", options.skip + top)
    }

    fn page(&self, set: Set, only: Option<&[Arc<str>]>, options: &Options) -> Result<Page<'_>, Problem> {
        let mut all: Vec<&Entity> = match only {
            None => self.catalog.all(set).collect(),
            Some(ids) => {
                let mut ids: Vec<&Arc<str>> = ids.iter().collect();
                ids.sort();
                ids.into_iter().filter_map(|id| self.catalog.get(set, id)).collect()
            }
        };
        if let Some(expr) = &options.filter {
            all.retain(|e| expr.holds(self, set, e));
        }
        if !options.order.is_empty() {
            let mut keyed: Vec<(Vec<Key>, &Entity)> = all
                .into_iter()
                .map(|e| (options.order.iter().map(|(path, _)| Key::of(filter::values(self, set, e, path).first())).collect(), e))
                .collect();
            keyed.sort_by(|(a, x), (b, y)| {
                for ((k, l), (_, descending)) in a.iter().zip(b).zip(&options.order) {
                    let order = if *descending { l.cmp(k) } else { k.cmp(l) };
                    if order.is_ne() {
                        return order;
                    }
                }
                x.id.cmp(&y.id)
            });
            all = keyed.into_iter().map(|(_, e)| e).collect();
        }
        let matched = all.len();
        let top = self.top(options);
        let entities: Vec<&Entity> = all.into_iter().skip(options.skip).take(top).collect();
        Ok(Page { more: options.skip + entities.len() < matched, entities, matched })
    }

    fn observations(&self, streams: Option<BTreeSet<Arc<str>>>, options: &Options) -> Result<Observed, Problem> {
        let Some(live) = &self.state.live else {
            return Ok(Observed { rows: Vec::new(), matched: options.count.then_some(0), next: None });
        };
        let order = self.order(options)?;
        let top = self.top(options);
        let query = ObservationQuery {
            streams,
            filter: options.filter.as_ref().map(|f| self.condition(f)).transpose()?,
            order,
            after: options.after,
            offset: options.skip,
            limit: Some(top + 1),
        };
        let mut rows = live.observations.query(&query)?;
        let matched = if options.count { Some(live.observations.count(&query)?) } else { None };
        let more = rows.len() > top;
        rows.truncate(top);
        let next = match (more, rows.last(), order.map(|o| o.column)) {
            (true, Some(last), Some(Column::At)) => Some(Next::Token(format!("{},{}", last.at.0, last.id))),
            (true, Some(last), Some(Column::Result)) => Some(Next::Token(format!("f{},{}", last.result, last.id))),
            // What has no result time stands beside the order.
            (true, Some(_), Some(Column::ResultAt)) => Some(Next::Skip(options.skip + top)),
            (true, Some(last), _) => Some(Next::Token(format!("0,{}", last.id))),
            _ => None,
        };
        Ok(Observed { rows, matched, next })
    }

    fn order(&self, options: &Options) -> Result<Option<Order>, Problem> {
        let refused = |reason: &str| Problem::parameter("invalid-parameter", "$orderby", reason);
        let Some((path, descending)) = options.order.first() else { return Ok(None) };
        if options.order.iter().skip(1).any(|(p, d)| p != &["id"] || d != descending) {
            return Err(refused("observations are sorted by one of id, phenomenonTime, resultTime and result"));
        }
        Ok(Some(Order {
            column: column(path).ok_or_else(|| refused("observations are sorted by id, phenomenonTime, resultTime or result"))?,
            descending: *descending,
        }))
    }

    /// A filter on observations as a condition of the store. What it says of the stream is settled here.
    fn condition(&self, expr: &Expr) -> Result<Where, Problem> {
        let list = |all: &[Expr]| all.iter().map(|e| self.condition(e)).collect::<Result<Vec<_>, _>>();
        match expr {
            Expr::And(all) => return Ok(Where::And(list(all)?)),
            Expr::Or(all) => return Ok(Where::Or(list(all)?)),
            Expr::Not(e) => return Ok(Where::Not(Box::new(self.condition(e)?))),
            _ => {}
        }
        for (link, set) in [("Datastream", Set::Datastreams), ("FeatureOfInterest", Set::FeaturesOfInterest)] {
            if let Some(inner) = below(expr, link) {
                let of = |e: &Entity| streams_of(self.catalog, set, e);
                let streams: BTreeSet<Arc<str>> = self.catalog.all(set).filter(|e| inner.holds(self, set, e)).flat_map(of).collect();
                return Ok(Where::Or(streams.into_iter().map(Where::Stream).collect()));
            }
        }
        let unfit = || {
            filter::bad(
                "observations are compared by id, phenomenonTime, resultTime, result and what their Datastream or FeatureOfInterest has",
            )
        };
        let Expr::Compare(a, op, b) = expr else { return Err(unfit()) };
        let (path, op, value) = match (a, b) {
            (Operand::Path(p), Operand::Literal(l)) => (p, *op, l),
            (Operand::Literal(l), Operand::Path(p)) => (p, flipped(*op), l),
            _ => return Err(unfit()),
        };
        let column = column(path).ok_or_else(unfit)?;
        let bound = match (column, value) {
            (Column::Id, Literal::Number(n)) if n.fract() == 0.0 => Bound::Int(*n as i64),
            (Column::Result, Literal::Number(n)) => Bound::Float(*n),
            (Column::At | Column::ResultAt, Literal::Time(t)) => Bound::Int(t.0),
            (Column::At | Column::ResultAt, Literal::Text(t)) => Bound::Int(Instant::parse(t).map_err(|e| filter::bad(e.to_string()))?.0),
            _ => return Err(filter::bad(format!("`{}` is compared with a value of another kind", short(&path.join("/"))))),
        };
        Ok(Where::Compare(column, op, bound))
    }

    /// One array for each stream, in the order in which the streams come.
    fn data_arrays(&self, rows: &[Observation], options: &Options) -> Vec<Value> {
        let default = || ["id", "phenomenonTime", "resultTime", "result"].map(str::to_owned).to_vec();
        let components: Vec<String> = options.select.clone().unwrap_or_else(default);
        let mut arrays: Vec<(Arc<str>, Vec<Value>)> = Vec::new();
        let mut place: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for o in rows {
            let e = observation_entity(self.catalog, o);
            let row: Vec<Value> = components
                .iter()
                .map(|c| match c.as_str() {
                    "id" | "@iot.id" => o.id.into(),
                    c => e.body.get(c).cloned().unwrap_or(Value::Null),
                })
                .collect();
            let i = *place.entry(o.stream.clone()).or_insert_with(|| {
                arrays.push((o.stream.clone(), Vec::new()));
                arrays.len() - 1
            });
            if let Some((_, list)) = arrays.get_mut(i) {
                list.push(row.into());
            }
        }
        arrays
            .into_iter()
            .map(|(stream, list)| {
                let of = Entity { id: stream, ..Entity::default() };
                json!({
                    "Datastream@iot.navigationLink": self.link(Set::Datastreams, &of),
                    "components": components,
                    "dataArray@iot.count": list.len(),
                    "dataArray": list,
                })
            })
            .collect()
    }
}

fn column(path: &[String]) -> Option<Column> {
    let [name] = path else { return None };
    Some(match name.as_str() {
        "id" | "@iot.id" => Column::Id,
        "phenomenonTime" => Column::At,
        "resultTime" => Column::ResultAt,
        "result" => Column::Result,
        _ => return None,
    })
}

fn flipped(op: Comparison) -> Comparison {
    match op {
        Comparison::Lt => Comparison::Gt,
        Comparison::Le => Comparison::Ge,
        Comparison::Gt => Comparison::Lt,
        Comparison::Ge => Comparison::Le,
        same => same,
    }
}

/// The expression as seen from behind the link, when all its paths lead through it.
fn below(expr: &Expr, link: &str) -> Option<Expr> {
    fn operand(o: &Operand, link: &str, through: &mut bool) -> Option<Operand> {
        Some(match o {
            Operand::Literal(l) => Operand::Literal(l.clone()),
            Operand::Path(p) => {
                *through = true;
                let rest = p.split_first().filter(|(first, rest)| *first == link && !rest.is_empty())?.1;
                Operand::Path(rest.to_vec())
            }
            Operand::Lower(i) => Operand::Lower(Box::new(operand(i, link, through)?)),
            Operand::Upper(i) => Operand::Upper(Box::new(operand(i, link, through)?)),
            Operand::Length(i) => Operand::Length(Box::new(operand(i, link, through)?)),
        })
    }
    let mut through = false;
    let mut both = |a: &Operand, b: &Operand| Some((operand(a, link, &mut through)?, operand(b, link, &mut through)?));
    let out = match expr {
        Expr::Compare(a, op, b) => both(a, b).map(|(a, b)| Expr::Compare(a, *op, b)),
        Expr::Contains(a, b) => both(a, b).map(|(a, b)| Expr::Contains(a, b)),
        Expr::StartsWith(a, b) => both(a, b).map(|(a, b)| Expr::StartsWith(a, b)),
        Expr::EndsWith(a, b) => both(a, b).map(|(a, b)| Expr::EndsWith(a, b)),
        Expr::Within(p, l) => both(&Operand::Path(p.clone()), &Operand::Literal(l.clone())).and_then(|(p, _)| match p {
            Operand::Path(p) => Some(Expr::Within(p, l.clone())),
            _ => None,
        }),
        Expr::And(_) | Expr::Or(_) | Expr::Not(_) => None,
    };
    out.filter(|_| through)
}

/// What entities are sorted by: nothing first, then truth, numbers, texts.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    None,
    Bool(bool),
    /// In an order that is that of the numbers.
    Number(i64),
    Text(String),
}

impl Key {
    fn of(v: Option<&Value>) -> Self {
        match v {
            Some(Value::Bool(b)) => Self::Bool(*b),
            Some(Value::Number(n)) => {
                let bits = n.as_f64().unwrap_or_default().to_bits() as i64;
                Self::Number(bits ^ (((bits >> 63) as u64) >> 1) as i64)
            }
            Some(Value::String(t)) => Self::Text(t.clone()),
            _ => Self::None,
        }
    }
}
