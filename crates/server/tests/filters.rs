//! What lists may be filtered by: fields that their rows have, and what the guide says of it.

use dogwatch_server::api::openapi::{document, facts_in_words};
use dogwatch_server::api::{ROUTES, Route};
use serde_json::Value;

/// The schema that a reference leads to.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#'))) {
        Some(schema) => resolved(document, schema),
        None => schema,
    }
}

fn lists() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| !route.facts.is_empty())
}

#[test]
fn every_fact_is_a_field_of_the_rows() {
    let document = document();
    for route in lists().filter(|route| !route.path.ends_with("/stream")) {
        let answer = &document["paths"][route.path]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        let properties = &resolved(&document, answer)["properties"];
        let rows = if properties["items"].is_null() { &properties["images"] } else { &properties["items"] };
        for fact in route.facts {
            let mut schema = resolved(&document, &rows["items"]);
            for part in fact.name.split('.') {
                // The data of a change is different for each kind.
                if *schema == Value::Bool(true) || schema["description"] == "The change." {
                    break;
                }
                schema = resolved(&document, &schema["properties"][part]);
                assert!(!schema.is_null(), "{route:?}: no row has `{}`", fact.name);
            }
        }
    }
}

#[test]
fn every_list_has_a_filter() {
    let document = document();
    for route in ROUTES.iter() {
        let answer =
            &document["paths"][route.path][route.method.as_str().to_lowercase()]["responses"]["200"]["content"];
        let answer = resolved(&document, &answer["application/json"]["schema"]);
        let is_list = answer["properties"]["next"].is_object() || route.path.ends_with("/stream");
        assert_eq!(!route.facts.is_empty(), is_list, "{route:?}");
    }
}

#[test]
fn the_guide_lists_the_facts() {
    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/server.md");
    const BEGIN: &str = "<!-- facts: written by a test of crates/server; `UPDATE_EXPECT=1` writes them anew -->\n";
    const END: &str = "<!-- end of facts -->\n";
    let guide = std::fs::read_to_string(PATH).expect("the guide");
    let (before, rest) = guide.split_once(BEGIN).expect("where the facts begin");
    let (written, after) = rest.split_once(END).expect("where they end");
    let mut table = "| list | facts |\n| --- | --- |\n".to_owned();
    for route in lists() {
        let path = route.path.trim_start_matches("/api/v1");
        table.push_str(&format!("| `{path}` | {} |\n", facts_in_words(route.facts)));
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(PATH, format!("{before}{BEGIN}{table}{END}{after}")).expect("written");
        return;
    }
    assert_eq!(written, table, "run it with UPDATE_EXPECT=1");
}
