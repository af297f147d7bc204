//! XML as a stream of elements, for formats whose documents are too large for a tree.
//!
//! Only what the five entities of XML and character references stand for is replaced: a document type's own entities, the
//! way to make a small document large, are an error. Names are without their prefixes.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// Longest text of one element that is kept; descriptions are longer and not wanted.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// Deepest nesting; OVAL's criteria need some ten.
const DEPTH_MAX: usize = 64;

/// What a reader of a document is told.
pub(crate) trait Visitor {
    /// An element begins. `path` are the names of the elements around it, outermost first, and its own.
    fn begin(&mut self, path: &[String], attributes: &Attributes);
    /// An element ends, with the text directly in it, trimmed.
    fn end(&mut self, path: &[String], text: &str);
}

/// The attributes of an element, by name without prefix.
#[derive(Default)]
pub(crate) struct Attributes(Vec<(String, String)>);

impl Attributes {
    /// The value of an attribute; empty when it is not there.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
    }
}

/// Tells `visitor` what a document holds.
pub(crate) fn visit(text: &[u8], visitor: &mut impl Visitor) -> Result<(), String> {
    let text = str::from_utf8(text).map_err(|error| error.to_string())?;
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    loop {
        let at = reader.buffer_position();
        match reader.read_event().map_err(|error| format!("{error} (byte {at})"))? {
            Event::Start(start) => {
                if path.len() == DEPTH_MAX {
                    return Err(format!("elements more than {DEPTH_MAX} deep (byte {at})"));
                }
                path.push(name(&start));
                texts.push(String::new());
                visitor.begin(&path, &attributes(&start)?);
            }
            Event::Empty(start) => {
                path.push(name(&start));
                visitor.begin(&path, &attributes(&start)?);
                visitor.end(&path, "");
                path.pop();
            }
            Event::End(_) => {
                let text = texts.pop().unwrap_or_default();
                visitor.end(&path, text.trim());
                path.pop();
            }
            Event::Text(piece) => append(&mut texts, &piece),
            Event::CData(piece) => append(&mut texts, &piece),
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref() {
                    Ok(Some(c)) => c.to_string(),
                    _ => {
                        let known = quick_xml::escape::resolve_predefined_entity(&reference);
                        known.ok_or_else(|| format!("an entity of its own (byte {at})"))?.to_owned()
                    }
                };
                append(&mut texts, &resolved);
            }
            Event::Eof if path.is_empty() => return Ok(()),
            Event::Eof => return Err("the document is cut short".into()),
            _ => {}
        }
    }
}

fn append(texts: &mut [String], piece: &str) {
    if let Some(text) = texts.last_mut()
        && text.len() + piece.len() <= TEXT_BYTES_MAX
    {
        text.push_str(piece);
    }
}

fn name(start: &BytesStart<'_>) -> String {
    start.local_name().as_ref().to_owned()
}

fn attributes(start: &BytesStart<'_>) -> Result<Attributes, String> {
    let mut attributes = Vec::new();
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let name = attribute.key.local_name().as_ref().to_owned();
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
        attributes.push((name, value.into_owned()));
    }
    Ok(Attributes(attributes))
}
