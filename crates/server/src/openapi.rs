//! The API's description, made from the table of routes.

use crate::{Access, Answer, Ask, CityState, Problem, ROUTES, Reply, Verb, items, problem, reply::OPENAPI};
use serde_json::{Map, Value, json};

/// A path that takes all the rest is a parameter like any other to OpenAPI.
pub fn template(path: &str) -> String {
    path.replace("{*", "{")
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
        if let Some(path) = paths.entry(template(route.path)).or_insert_with(|| json!({})).as_object_mut() {
            path.insert(verb.into(), operation);
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
