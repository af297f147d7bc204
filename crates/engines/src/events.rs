//! What happens to an engine's containers, as it happens.
//!
//! Source: Docker Engine API 1.41 and later, "Monitor events"; Podman 4.0 and later answers at the same path in the same
//! words, but for a few older ones.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};

use model::Timestamp;
use reqwest::blocking::Response;
use serde::Deserialize;

use crate::EngineKind;
use crate::body::plain;
use crate::error::EngineError;
use crate::http::{Engine, printable};
use crate::image::{digest, or_default};

/// The longest event. It repeats all labels of the container, and those can hold a bill of materials.
const EVENT_BYTES_MAX: u64 = 16 << 20;

/// After so many events that are none the engine is given up: what it speaks is something else.
const MALFORMED_MAX: usize = 100;

/// Only what happens to containers, `{"type":["container"]}`.
const FILTERS: &str = "%7B%22type%22%3A%5B%22container%22%5D%7D";

/// What the stream is called in errors.
const WHAT: &str = "the events of containers";

/// What Docker and Podman say of an event among the container's labels. A label of such a name is left out.
const ATTRIBUTES: &[&str] =
    &["image", "name", "exitCode", "containerExitCode", "execDuration", "oldName", "signal", "podId"];

/// Something that happened to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerEvent {
    /// When, by the engine's clock.
    pub at: Timestamp,
    /// What.
    pub action: ContainerAction,
    /// The container's id, 64 hex digits.
    pub id: String,
    /// Its name; after a rename the new one.
    pub name: String,
    /// What its image was called when it was made.
    pub image_name: String,
    /// Its labels and its image's, as they are written.
    pub labels: BTreeMap<String, String>,
}

/// What can happen to a container. Other events are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerAction {
    /// It was started, not necessarily for the first time.
    Start,
    /// Its process ended by itself or was ended.
    Die {
        /// What the process returned, if the engine says so.
        exit_code: Option<i32>,
    },
    /// Somebody stopped it, beside the [`ContainerAction::Die`] of its process.
    Stop,
    /// It was removed.
    Destroy,
    /// It was given another name.
    Rename {
        /// The one it had; empty where the engine does not say, as Podman.
        from: String,
    },
}

/// Events as they come; see [`Engine::events`]. Dropping it ends the connection.
#[derive(Debug)]
pub struct ContainerEvents {
    kind: EngineKind,
    stream: BufReader<Patient>,
    malformed: usize,
    ended: bool,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default, rename = "Type", deserialize_with = "or_default")]
    kind: String,
    #[serde(default, rename = "Action", deserialize_with = "or_default")]
    action: String,
    #[serde(default, rename = "Actor", deserialize_with = "or_default")]
    actor: Actor,
    #[serde(default, deserialize_with = "or_default")]
    time: i64,
    #[serde(default, rename = "timeNano", deserialize_with = "or_default")]
    time_nano: i64,
}

#[derive(Deserialize, Default)]
struct Actor {
    #[serde(default, rename = "ID", deserialize_with = "or_default")]
    id: String,
    #[serde(default, rename = "Attributes", deserialize_with = "or_default")]
    attributes: BTreeMap<String, String>,
}

impl Engine {
    /// What happens to containers from now on; with `since`, first what happened at that time and after it, as far as the
    /// engine remembers (Docker: its last 256 events of any kind, and none from before its own start).
    ///
    /// Without `since` an event may be missed while the connection is made. The iterator waits for as long as nothing
    /// happens. It ends with an error when the engine goes away; an error about a single event is followed by the next one.
    /// Docker and Podman only.
    pub fn events(&self, since: Option<Timestamp>) -> Result<ContainerEvents, EngineError> {
        self.docker_like(WHAT)?;
        let since = since.map(|at| at.max(Timestamp::UNIX_EPOCH));
        let since =
            since.map(|at| format!("&since={}.{:09}", at.as_second(), at.subsec_nanosecond())).unwrap_or_default();
        let response = self.watch("/events", &format!("?filters={FILTERS}{since}"), WHAT)?;
        let stream = BufReader::new(Patient(response));
        Ok(ContainerEvents { kind: self.kind(), stream, malformed: 0, ended: false })
    }
}

impl Iterator for ContainerEvents {
    type Item = Result<ContainerEvent, EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let line = match self.line() {
                Ok(line) => line,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            };
            match event(&line) {
                Ok(None) => {}
                Ok(Some(event)) => return Some(Ok(event)),
                Err(detail) => {
                    self.malformed += 1;
                    self.ended = self.malformed == MALFORMED_MAX;
                    let (engine, what) = (self.kind, WHAT.to_owned());
                    return Some(Err(EngineError::Malformed { engine, what, detail: printable(&detail) }));
                }
            }
        }
        None
    }
}

impl ContainerEvents {
    /// The next line, which has its end: of one that breaks off nobody knows what is missing.
    fn line(&mut self) -> Result<Vec<u8>, EngineError> {
        let (engine, what) = (self.kind, WHAT.to_owned());
        let mut line = Vec::new();
        match self.stream.by_ref().take(EVENT_BYTES_MAX).read_until(b'\n', &mut line) {
            Err(source) => Err(EngineError::Body { engine, what, source }),
            Ok(_) if line.ends_with(b"\n") => Ok(line),
            Ok(count) if count as u64 == EVENT_BYTES_MAX => {
                Err(EngineError::TooLarge { engine, what, limit: EVENT_BYTES_MAX })
            }
            Ok(_) => {
                let source = io::Error::new(io::ErrorKind::UnexpectedEof, "the engine ended the connection");
                Err(EngineError::Body { engine, what, source })
            }
        }
    }
}

/// What a line says; none when it is of no concern here.
fn event(line: &[u8]) -> Result<Option<ContainerEvent>, String> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let said: Said = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let Said { kind, action, actor: Actor { id, attributes: mut labels }, time, time_nano } = said;
    if kind != "container" {
        return Ok(None);
    }
    let text = |key: &str| labels.get(key).map(|text| printable(text)).unwrap_or_default();
    let action = match action.as_str() {
        "start" => ContainerAction::Start,
        // The second word of each is Podman's own.
        "die" | "died" => {
            let exit_code = labels.get("exitCode").or(labels.get("containerExitCode"));
            ContainerAction::Die { exit_code: exit_code.and_then(|code| code.parse().ok()) }
        }
        "stop" => ContainerAction::Stop,
        "destroy" | "remove" => ContainerAction::Destroy,
        "rename" => ContainerAction::Rename { from: text("oldName").trim_start_matches('/').to_owned() },
        _ => return Ok(None),
    };
    if digest(&id).is_none() {
        return Err(format!("`{id}` is no container id"));
    }
    let nanoseconds = if time_nano == 0 { i128::from(time) * 1_000_000_000 } else { i128::from(time_nano) };
    let at = Timestamp::from_nanosecond(nanoseconds).map_err(|_| format!("{nanoseconds} is no time"))?;
    let (name, image_name) = (text("name"), text("image"));
    labels.retain(|key, _| !ATTRIBUTES.contains(&key.as_str()));
    Ok(Some(ContainerEvent { at, action, id, name, image_name, labels }))
}

pub(crate) fn understands(bytes: &[u8]) -> bool {
    matches!(event(bytes), Ok(Some(_)))
}

/// An answer that may be silent for as long as it likes.
#[derive(Debug)]
struct Patient(Response);

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buffer).map_err(|error| plain(&error)) {
                // Only the wait ended; the connection did not.
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                other => return other,
            }
        }
    }
}
