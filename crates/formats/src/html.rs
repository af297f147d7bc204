//! One HTML page to read, filter, sort and print: no network, no other file.
//!
//! The page is `html/page.html` (minijinja, every value escaped), with `page.css` and `page.js` inside. It works from
//! `file://`, without JavaScript (then it does not filter), by keyboard, in the dark and on paper. Strangers' text is escaped,
//! and the page's own policy (CSP) runs no script but ours, by its digest, and loads nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value};
use model::report::ScanReport;
use sha2::{Digest as _, Sha256};

use crate::template;

mod view;

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// The report as a page.
pub fn write(report: &ScanReport) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_syntax(template::syntax());
    let context = minijinja::context! {
        style => Value::from_safe_string(STYLE.to_owned()),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        // In the policy a digest stands between quotes.
        style_digest => Value::from_safe_string(digest(STYLE)),
        script_digest => Value::from_safe_string(digest(SCRIPT)),
        page => Value::from(Serde(view::Page::of(report))),
    };
    let page = environment.render_named_str("page.html", PAGE, context);
    // Our own template over our own types; a test renders every part of it.
    page.unwrap_or_else(|error| unreachable!("{error}"))
}

/// A source expression of a Content Security Policy (CSP level 3, section 6.7.3.3).
fn digest(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}
