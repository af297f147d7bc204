//! What a report says about an image, wherever the image came from.

use serde_json::{Value, json};

/// What must not depend on where an image came from: everything but its names and how its layers were compressed.
pub fn essence(report: &Value) -> Value {
    let artifact = &report["artifact"];
    let layers = artifact["layers"].as_array().expect("layers").iter();
    let diff_ids: Vec<&Value> = layers.map(|layer| &layer["diff_id"]).collect();
    json!({
        "diff_ids": diff_ids,
        "image_id": artifact["image_id"],
        "platform": artifact["platform"],
        "history": artifact["history"],
        "config": artifact["config"],
        "inventory": report["inventory"],
        "findings": report["findings"],
        "gaps": report["gaps"],
        "remedies": report["remedies"],
        "outcome": report["verdict"]["outcome"],
    })
}

/// Fails when two reports are not about the same image.
pub fn same(target: &str, report: &Value, reference: &Value) {
    let (here, there) = (essence(report), essence(reference));
    for (name, value) in here.as_object().expect("an object") {
        assert!(*value == there[name], "`{name}` of {target} is\n{value:.3000}\nand not\n{:.3000}", there[name]);
    }
}
