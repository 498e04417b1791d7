//! The API's description, made from the table of routes.

use crate::{Access, Answer, Ask, CityState, Problem, ROUTES, Reply, Verb, items, problem, processes, reply::OPENAPI};
use serde_json::{Map, Value, json};
use strata_engine::Analysis;

/// A path that takes all the rest is a parameter like any other to OpenAPI.
pub fn template(path: &str) -> String {
    path.replace("{*", "{")
}

const EXECUTION: &str = "/ogc/processes/{id}/execution";

/// One process's execution: the common operation with its own name, inputs and outputs.
fn execution(common: &Value, a: &Analysis) -> Value {
    let mut inputs = processes::inputs(a);
    inputs["additionalProperties"] = false.into();
    oas30(&mut inputs);
    let mut outputs: Value = serde_json::from_str(a.outputs).unwrap_or(Value::Null);
    oas30(&mut outputs);
    let mut out = common.clone();
    out["operationId"] = format!("execute-{}", a.id).into();
    out["summary"] = format!("{} {}", a.title_en, a.title_zh).into();
    out["description"] = a.about.into();
    out["parameters"] = json!([]);
    let body = json!({ "type": "object", "required": ["inputs"], "properties": { "inputs": inputs } });
    out["requestBody"]["content"]["application/json"]["schema"] = body;
    out["responses"]["200"]["content"]["application/json"]["schema"] = outputs;
    out
}

/// OpenAPI 3.0 has one `type` each, `nullable` beside it, and no list without `items`.
fn oas30(schema: &mut Value) {
    if let Some(types) = schema.get("type").and_then(Value::as_array).cloned() {
        let kinds: Vec<&Value> = types.iter().filter(|t| **t != "null").collect();
        let nullable = kinds.len() < types.len();
        let one = (kinds.len() == 1).then(|| kinds[0].clone());
        if let Some(s) = schema.as_object_mut() {
            match one {
                Some(t) => s.insert("type".into(), t),
                None => s.remove("type"),
            };
            if nullable {
                s.insert("nullable".into(), true.into());
            }
        }
    }
    if schema["type"] == "array" && schema.get("items").is_none() {
        schema["items"] = json!({});
    }
    match schema {
        Value::Object(o) => o.values_mut().for_each(oas30),
        Value::Array(a) => a.iter_mut().for_each(oas30),
        _ => {}
    }
}

pub fn document(state: &CityState, _: &Ask) -> Result<Reply, Problem> {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES {
        let mut parameters: Vec<Value> = route
            .path
            .split('/')
            .filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| name.trim_start_matches('*'))
            .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
            .collect();
        let query: &[&str] = if route.path.ends_with("/items") { &items::PARAMS } else { route.params };
        for name in query.iter().filter(|n| **n != "*") {
            let schema = match *name {
                "limit" => {
                    json!({ "type": "integer", "minimum": 1, "maximum": state.limits().max_items, "default": state.limits().default_items })
                }
                "$top" | "$skip" => json!({ "type": "integer", "minimum": 0 }),
                "$count" => json!({ "type": "boolean" }),
                "resultFormat" | "$resultFormat" => json!({ "type": "string", "enum": ["dataArray"] }),
                "offset" | "after" | "v" => json!({ "type": "integer", "minimum": 0 }),
                "f" if route.path.starts_with("/api/reports") => {
                    json!({ "type": "string", "enum": ["html", "docx", "json"], "default": "html" })
                }
                "lang" => json!({ "type": "string", "enum": ["zh", "en"], "default": "zh" }),
                "f" => json!({ "type": "string", "enum": ["json", "geojson"] }),
                "resultType" => json!({ "type": "string", "enum": ["results", "hits"] }),
                "filter-lang" => json!({ "type": "string", "enum": ["cql2-text"] }),
                _ => json!({ "type": "string" }),
            };
            parameters.push(json!({ "name": name, "in": "query", "required": false, "schema": schema }));
        }
        if matches!(route.answer, Answer::Write(_) | Answer::Keep(_)) {
            parameters.push(json!({
                "name": "Idempotency-Key", "in": "header", "required": false, "schema": { "type": "string", "maxLength": 255 },
                "description": "The same key and request again: the same answer, and nothing is written. Another request: 422 `key-reuse`.",
            }));
        }
        let makes = route.path.starts_with("/sta/") || matches!(route.path, "/api/proposals" | "/api/cases" | "/api/session");
        let good = if route.verb == Verb::Post && makes { "201" } else { "200" };
        let mut operation = json!({
            "summary": route.summary,
            "parameters": parameters,
            "responses": {
                good: { "description": "Done", "content": { route.media: {} } },
                "default": { "description": "A problem", "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } } },
            },
        });
        if route.body {
            operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": { "type": "object" } } } });
        }
        if route.access == Access::Keeper {
            operation["security"] = json!([{ "token": [] }]);
        }
        let verb = match route.verb {
            Verb::Get => "get",
            Verb::Post => "post",
            Verb::Delete => "delete",
        };
        // Each process has inputs and outputs of its own: a path for each, so that generated clients have types.
        let described: Vec<(String, Value)> = match route.path {
            EXECUTION => processes::all().map(|a| (EXECUTION.replace("{id}", a.id), execution(&operation, a))).collect(),
            path => vec![(template(path), operation)],
        };
        for (path, operation) in described {
            if let Some(path) = paths.entry(path).or_insert_with(|| json!({})).as_object_mut() {
                path.insert(verb.into(), operation);
            }
        }
    }
    let codes: Vec<Value> =
        problem::codes().map(|(code, status, title)| json!({ "code": code, "status": status, "title": title })).collect();
    let out = json!({
        "openapi": "3.0.3",
        "info": { "title": format!("Strata: {}", state.meta.name), "version": env!("CARGO_PKG_VERSION"), "x-problem-codes": codes },
        "servers": [{ "url": state.base() }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": { "Problem": {
                "type": "object",
                "required": ["type", "title", "status", "detail", "code"],
                "properties": {
                    "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" }, "detail": { "type": "string" },
                    "code": { "type": "string" }, "instance": { "type": "string" }, "trace_id": { "type": "string" },
                    "errors": { "type": "array", "items": { "type": "object" } },
                },
            } },
        },
    });
    Ok(Reply { media_type: OPENAPI, ..Reply::json(&out) })
}
