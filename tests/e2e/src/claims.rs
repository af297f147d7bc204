//! Claims to upload, made of one real report.

use serde_json::{Value, json};

use crate::images::small;
use crate::program::User;

/// The report of the small image; none (said loudly) where it cannot be made.
pub fn small_report(user: &User) -> Option<Value> {
    Some(user.run(&["scan", &format!("oci-dir:{}:small", small()?.display()), "-o", "json"]).json())
}

/// A claim about an image of its own: name, digest and one package differ by the number.
pub fn claim(report: &Value, number: usize) -> String {
    let mut report = report.clone();
    report["artifact"]["manifest_digest"] = json!(crate::registry::digest(&number.to_string()));
    report["artifact"]["names"] = json!([format!("registry.example/shop:{number}")]);
    report["inventory"]["packages"][0]["licenses"] = json!([format!("licence {number}")]);
    report.to_string()
}
