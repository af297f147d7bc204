//! The OpenAPI document, made from the table of routes. Source: OpenAPI Specification 3.1.1.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use store::FilterFact;

use super::ROUTES;
use super::requests::Listed;
use crate::access::Permission;
use crate::problem::Problem;

/// Makes a schema.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The schema of a type.
pub fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The schema of a page of a type.
pub fn list<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<Listed<T>>()
}

/// Anything: documents with a schema of their own, and what is no JSON.
pub fn any(_: &mut SchemaGenerator) -> Schema {
    Schema::default()
}

/// What a list may be filtered by, in words.
pub fn facts_in_words(facts: &[FilterFact]) -> String {
    let named = facts.iter().map(|fact| {
        let optional = if fact.optional { ", optional" } else { "" };
        format!("`{}` ({}{optional})", fact.name, fact.kind.as_str())
    });
    named.collect::<Vec<_>>().join(", ")
}

/// The document.
pub fn document() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<Problem>();
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES.iter() {
        let named = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let in_path = named.map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } })
        });
        let in_query = route.parameters().into_iter().map(|parameter| {
            let schema: Value = serde_json::from_str(parameter.schema).unwrap_or_default();
            let mut doc = parameter.doc.to_owned();
            if parameter.name == "filter" {
                doc.push_str(&format!(" Of a row it may ask: {}.", facts_in_words(route.facts)));
            }
            json!({ "name": parameter.name, "in": "query", "description": doc, "schema": schema })
        });
        let answer = (route.answer)(&mut generator);
        let kind = match route.path {
            "/metrics" => "text/plain",
            "/api/v1/changes/stream" => "text/event-stream",
            _ => "application/json",
        };
        let mut responses = json!({
            "200": { "description": "Done.", "content": { kind: { "schema": answer } } },
            "default": { "description": "What went wrong.", "content": { "application/problem+json": { "schema": problem } } },
        });
        if kind == "application/json" && route.method == axum::http::Method::GET {
            responses["304"] = json!({ "description": "As the caller has it." });
        }
        let mut operation = json!({
            "summary": route.doc,
            "operationId": format!("{} {}", route.method.as_str().to_lowercase(), route.path),
            "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
            "responses": responses,
            "security": if route.permission == Permission::Open { json!([]) } else { json!([{ "token": [] }]) },
        });
        if let Some(body) = route.body {
            let schema = body(&mut generator);
            operation["requestBody"] =
                json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        }
        paths.entry(route.path).or_insert_with(|| json!({}))[route.method.as_str().to_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.1",
        "info": { "title": "Dogwatch", "version": env!("CARGO_PKG_VERSION"), "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" } },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}
