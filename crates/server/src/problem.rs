//! What the door says when it cannot do what was asked: RFC 9457 problems with stable codes.

use serde_json::{Value, json};
use strata_engine::EngineError;
use strata_model::ModelError;
use strata_store::StoreError;
use strata_tiles::TilesError;

/// Stable code, status, and its title in English and Chinese. Clients may rely on code and status.
const CODES: &[(&str, u16, &str, &str)] = &[
    ("bad-request", 400, "The request is not readable", "请求无法读取"),
    ("invalid-request", 400, "The request is not allowed in this form", "请求形式不被允许"),
    ("invalid-parameter", 400, "A parameter has no usable value", "参数取值无效"),
    ("unknown-parameter", 400, "A parameter is not known here", "未知参数"),
    ("invalid-bbox", 400, "The bbox is not usable", "bbox 无效"),
    ("invalid-datetime", 400, "The datetime is not usable", "datetime 无效"),
    ("invalid-crs", 400, "The coordinate reference system is not offered", "不支持的坐标参考系"),
    ("invalid-filter", 400, "The filter is not readable", "过滤表达式无法解析"),
    ("filter-too-complex", 400, "The filter is too complex", "过滤表达式过于复杂"),
    ("unknown-property", 400, "There is no such property", "没有此属性"),
    ("invalid-json", 400, "The body is not the JSON that is wanted", "请求体不是所需的 JSON"),
    ("unknown-member", 400, "The body has a member that is not known here", "请求体含未知成员"),
    ("unauthenticated", 401, "Sign in first", "请先登录"),
    ("invalid-token", 401, "The token is not valid", "令牌无效"),
    ("csrf-failed", 403, "The request came from another site", "请求来自其他站点"),
    ("not-found", 404, "There is nothing here", "此处没有内容"),
    ("tile-out-of-range", 404, "There is no such tile", "没有此瓦片"),
    ("method-not-allowed", 405, "This method is not offered here", "此处不支持该方法"),
    ("not-acceptable", 406, "None of the media types asked for is offered", "不支持所要求的媒体类型"),
    ("request-timeout", 408, "The request took too long to arrive", "请求接收超时"),
    ("conflict", 409, "The city has changed meanwhile", "城市数据已变化"),
    ("proposal-closed", 409, "The proposal is closed", "方案已关闭"),
    ("payload-too-large", 413, "The body is too large", "请求体过大"),
    ("uri-too-long", 414, "The address is too long", "地址过长"),
    ("unsupported-media", 415, "The body's media type is not taken", "不接受该媒体类型"),
    ("answer-too-large", 413, "The answer would be too large", "结果过大"),
    ("invalid-geometry", 422, "A geometry is not sound", "几何无效"),
    ("invalid-feature", 422, "A feature does not fit its layer", "要素与图层不符"),
    ("invalid-observation", 422, "An observation cannot be kept", "观测值无效"),
    ("invalid-entity", 422, "An entity cannot be registered", "实体无法登记"),
    ("key-reuse", 422, "The key belongs to another request", "该幂等键已用于其他请求"),
    ("refused", 422, "The change does not pass the check", "变更未通过检查"),
    ("too-many-attempts", 429, "Too many attempts", "尝试次数过多"),
    ("headers-too-large", 431, "The headers are too large", "请求头过大"),
    ("internal", 500, "Something went wrong here", "服务器内部错误"),
    ("busy", 503, "The server is busy", "服务器繁忙"),
    ("too-many-connections", 503, "There are too many connections", "连接过多"),
    ("query-timeout", 503, "The answer took too long", "查询超时"),
    ("storage-failed", 503, "The record cannot be read or written", "记录库读写失败"),
    ("storage-full", 507, "The disk is full", "磁盘已满"),
];

#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub code: &'static str,
    pub status: u16,
    /// One sentence for the client: no paths of this machine, no SQL, no secret.
    pub detail: String,
    /// Where in the request, and why.
    pub errors: Vec<(&'static str, String, String)>,
    /// Further headers (`WWW-Authenticate`, `Retry-After`).
    pub headers: Vec<(&'static str, String)>,
    /// For the log only.
    pub cause: Option<String>,
}

impl Problem {
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        let status = CODES.iter().find(|c| c.0 == code).map_or(500, |c| c.1);
        Self { code, status, detail: detail.into(), errors: Vec::new(), headers: Vec::new(), cause: None }
    }
    /// One answer for what is missing and what is hidden.
    pub fn not_found() -> Self {
        Self::new("not-found", "There is nothing at this address.")
    }
    pub fn parameter(code: &'static str, name: &str, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let mut p = Self::new(code, format!("`{}`: {reason}", short(name)));
        p.errors.push(("parameter", short(name), reason));
        p
    }
    pub fn pointer(code: &'static str, pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        let (pointer, reason) = (pointer.into(), reason.into());
        let mut p = Self::new(code, format!("{pointer}: {reason}"));
        p.errors.push(("pointer", pointer, reason));
        p
    }
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self { cause: Some(cause.to_string()), ..Self::new("internal", "The fault has been noted.") }
    }
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
    /// The document. `instance` and `trace` are left out of answers for missing things, so that they are the
    /// same bytes for all of them.
    pub fn document(&self, instance: &str, trace: &str, chinese: bool) -> Value {
        let (title, _) = titles(self.code, chinese);
        let mut out = json!({
            "type": format!("urn:strata:problem:{}", self.code),
            "title": title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        });
        if self.status != 404 {
            out["instance"] = instance.into();
            out["trace_id"] = trace.into();
        }
        if !self.errors.is_empty() {
            out["errors"] = self.errors.iter().map(|(kind, place, reason)| json!({ *kind: place, "reason": reason })).collect();
        }
        out
    }
}

fn titles(code: &str, chinese: bool) -> (&'static str, u16) {
    CODES.iter().find(|c| c.0 == code).map_or(("Something went wrong here", 500), |c| (if chinese { c.3 } else { c.2 }, c.1))
}

/// Codes and statuses, for the API's description.
pub fn codes() -> impl Iterator<Item = (&'static str, u16, &'static str)> {
    CODES.iter().map(|c| (c.0, c.1, c.2))
}

/// What a client sent, cut and without control characters, fit to be said back.
pub fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

impl From<ModelError> for Problem {
    fn from(e: ModelError) -> Self {
        let code = match &e {
            ModelError::Instant { .. } | ModelError::Interval { .. } => "invalid-datetime",
            ModelError::UnknownCrs { .. } | ModelError::Projection { .. } => "invalid-crs",
            ModelError::UnknownAttribute { .. } => "unknown-property",
            ModelError::FilterTooComplex { .. } => "filter-too-complex",
            ModelError::FilterSyntax { .. } => "invalid-filter",
            ModelError::Wkb { .. } | ModelError::Geometry { .. } => "invalid-geometry",
        };
        Self::new(code, short_detail(&e.to_string()))
    }
}

impl From<StoreError> for Problem {
    fn from(e: StoreError) -> Self {
        let detail = short_detail(&e.to_string());
        let mut problem = match e.code() {
            "not-found" => return Self::not_found(),
            "conflict" | "acknowledged" => Self::new("conflict", detail),
            "proposal-closed" => Self::new("proposal-closed", detail),
            "refused" => Self::new("refused", detail),
            "invalid" | "layer-changed" => Self::new("invalid-feature", detail),
            "storage-full" => Self::new("storage-full", "Nothing of this change was kept."),
            "locked" => Self::new("busy", "Another program is writing to the city.").header("retry-after", "5"),
            _ => Self::new("storage-failed", "The record cannot be used at the moment."),
        };
        problem.cause = Some(e.to_string());
        problem
    }
}

impl From<TilesError> for Problem {
    fn from(e: TilesError) -> Self {
        Self::internal(e)
    }
}

impl From<EngineError> for Problem {
    fn from(e: EngineError) -> Self {
        match e {
            EngineError::Model(m) => m.into(),
            other => Self::internal(other),
        }
    }
}

fn short_detail(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(400).collect()
}
