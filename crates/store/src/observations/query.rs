use super::Streams;
use rusqlite::types::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What an observation can be asked by and sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Id,
    /// Phenomenon time; of a span its beginning.
    At,
    ResultAt,
    Result,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Milliseconds since 1970, or an id.
    Int(i64),
    Float(f64),
}

/// A condition; every value is bound, every name is one of [`Column`].
#[derive(Debug, Clone, PartialEq)]
pub enum Where {
    And(Vec<Where>),
    Or(Vec<Where>),
    Not(Box<Where>),
    Compare(Column, Comparison, Bound),
    /// Of this stream.
    Stream(Arc<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    pub column: Column,
    pub descending: bool,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObservationQuery {
    /// Only of these streams; `None`: of all there are.
    pub streams: Option<BTreeSet<Arc<str>>>,
    pub filter: Option<Where>,
    /// `None`: by id.
    pub order: Option<Order>,
    /// Only what comes after this value and id in the order asked for: the next page, however deep, costs what the first does.
    pub after: Option<(Bound, u64)>,
    pub offset: usize,
    pub limit: Option<usize>,
}

impl Bound {
    fn value(self) -> Value {
        match self {
            Self::Int(v) => Value::Integer(v),
            Self::Float(v) => Value::Real(v),
        }
    }
}

impl Column {
    fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::At => "at",
            Self::ResultAt => "result_at",
            Self::Result => "result",
        }
    }
}

impl Comparison {
    fn sign(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "<>",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }
}

impl ObservationQuery {
    /// SQL and its values; `None`: nothing can match. `page`: with order, offset and limit.
    pub(super) fn sql(&self, columns: &str, streams: &Streams, page: bool) -> Option<(String, Vec<Value>)> {
        let mut values = Vec::new();
        let mut conditions = Vec::new();
        if let Some(only) = &self.streams {
            let numbers: Vec<String> = only.iter().filter_map(|id| streams.numbers.get(id)).map(i64::to_string).collect();
            match &numbers[..] {
                [] => return None,
                [one] => conditions.push(format!("stream = {one}")),
                many => conditions.push(format!("stream IN ({})", many.join(","))),
            }
        }
        if let Some(filter) = &self.filter {
            conditions.push(filter.sql(streams, &mut values));
        }
        let order = self.order.filter(|o| o.column != Column::Id);
        let descending = self.order.is_some_and(|o| o.descending);
        if page && let Some((value, id)) = self.after {
            let sign = if descending { '<' } else { '>' };
            let id = Value::Integer(i64::try_from(id).unwrap_or(i64::MAX));
            match order {
                Some(o) => {
                    values.extend([value.value(), id]);
                    conditions.push(format!("({}, id) {sign} (?{}, ?{})", o.column.name(), values.len() - 1, values.len()));
                }
                None => {
                    values.push(id);
                    conditions.push(format!("id {sign} ?{}", values.len()));
                }
            }
        }
        let mut sql = format!("SELECT {columns} FROM observations");
        if !conditions.is_empty() {
            sql += &format!(" WHERE {}", conditions.join(" AND "));
        }
        if page {
            let way = if descending { " DESC" } else { "" };
            sql += " ORDER BY ";
            if let Some(o) = order {
                sql += &format!("{}{way}, ", o.column.name());
            }
            let limit = self.limit.map_or(-1, |l| i64::try_from(l).unwrap_or(i64::MAX));
            sql += &format!("id{way} LIMIT {limit} OFFSET {}", i64::try_from(self.offset).unwrap_or(i64::MAX));
        }
        Some((sql, values))
    }
}

impl Where {
    fn sql(&self, streams: &Streams, values: &mut Vec<Value>) -> String {
        let list = |all: &[Self], word: &str, none: &str, values: &mut Vec<Value>| {
            let parts: Vec<String> = all.iter().map(|w| w.sql(streams, values)).collect();
            if parts.is_empty() { none.to_owned() } else { format!("({})", parts.join(word)) }
        };
        match self {
            Self::And(all) => list(all, " AND ", "1", values),
            Self::Or(all) => list(all, " OR ", "0", values),
            // What has no result time is neither before nor after anything, and so is "not before" it.
            Self::Not(inner) => format!("(({}) IS NOT 1)", inner.sql(streams, values)),
            Self::Compare(column, op, bound) => {
                values.push(bound.value());
                format!("{} {} ?{}", column.name(), op.sign(), values.len())
            }
            Self::Stream(id) => streams.numbers.get(id).map_or_else(|| "0".into(), |n| format!("stream = {n}")),
        }
    }
}
