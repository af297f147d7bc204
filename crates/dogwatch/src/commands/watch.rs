//! `dogwatch watch`: tells a server what an engine on this machine runs, as it happens, and what is in the images.
//!
//! The events are asked for before the list, so nothing that happens between the two is missed; when the engine goes away, it is
//! waited for, and the list then says what happened meanwhile.

use std::collections::HashSet;
use std::time::Duration;

use ::engines::{ContainerAction, ContainerEvent, Engine, EngineKind, RunningContainer};
use ::scan::inspect::inspect;
use ::scan::pipeline::inventory_report;
use ::scan::target::Target;
use model::Timestamp;
use serde_json::{Value, json};

use crate::cli::WatchArguments;
use crate::client::{Client, escaped};
use crate::console::{Failure, note};

/// How long an engine or server that does not answer is left alone.
const PAUSE: Duration = Duration::from_secs(2);

/// Watches until it is stopped.
pub(crate) fn run(arguments: WatchArguments) -> Result<u8, Failure> {
    let client = Client::at(&arguments.server, arguments.token_file.as_deref(), arguments.source.ca_file.as_deref())?;
    let kind = EngineKind::from(arguments.engine);
    let mut watch = Watch { client, kind, known: HashSet::new(), arguments };
    // What is wrong from the start is said at once; later it is waited for.
    Engine::find(kind)?.containers()?;
    loop {
        if let Err(failure) = watch.follow() {
            note(&format!("{:#}; trying again", failure.error));
        }
        std::thread::sleep(PAUSE);
    }
}

struct Watch {
    client: Client,
    kind: EngineKind,
    /// Images that the server has, by id.
    known: HashSet<String>,
    arguments: WatchArguments,
}

impl Watch {
    /// Tells the server what runs, then what happens, until one of them does not answer.
    fn follow(&mut self) -> Result<(), Failure> {
        let engine = Engine::find(self.kind)?;
        let events = engine.events(Some(Timestamp::now()))?;
        let running = engine.containers()?;
        let workloads: Vec<Value> = running.iter().map(workload).collect();
        self.tell("PUT", &Value::from(workloads))?;
        note(&format!("{} containers run", running.len()));
        for container in &running {
            self.image(container.image.as_ref().map(ToString::to_string), &container.image_name);
        }
        for event in events {
            self.happened(&engine, event?)?;
        }
        Ok(())
    }

    fn happened(&mut self, engine: &Engine, event: ContainerEvent) -> Result<(), Failure> {
        match event.action {
            ContainerAction::Start => {
                // One that is over already is told all the same, as far as the event says.
                let running = engine.running(&event.id)?;
                let started = match &running {
                    Some(container) => workload(container),
                    None => json!({ "name": event.name, "image_name": event.image_name, "labels": event.labels }),
                };
                self.tell("POST", &json!([{ "started": started }]))?;
                let id = running.and_then(|container| container.image).map(|image| image.to_string());
                self.image(id, &event.image_name);
            }
            ContainerAction::Die { .. } | ContainerAction::Destroy => {
                self.tell("POST", &json!([{ "stopped": event.name }]))?;
            }
            ContainerAction::Rename { from } => {
                // Podman does not say what it was called, so all that runs is told anew.
                if from.is_empty() {
                    let running: Vec<Value> = engine.containers()?.iter().map(workload).collect();
                    return self.tell("PUT", &Value::from(running));
                }
                let mut changes = vec![json!({ "stopped": from })];
                changes.extend(engine.running(&event.id)?.map(|container| json!({ "started": workload(&container) })));
                self.tell("POST", &Value::from(changes))?;
            }
            // Its process has died as well, which is told.
            ContainerAction::Stop => {}
        }
        Ok(())
    }

    fn tell(&self, method: &str, body: &Value) -> Result<(), Failure> {
        let path = format!("/api/v1/environments/{}/workloads", escaped(&self.arguments.environment));
        self.client.send(method, &path, body).map(drop)
    }

    /// Looks into an image that the server does not know, and uploads what is inside. One that cannot be read is said, and
    /// keeps nothing from being watched.
    fn image(&mut self, id: Option<String>, name: &str) {
        let named = id.clone().unwrap_or_else(|| name.to_owned());
        if self.known.contains(&named) {
            return;
        }
        match self.upload(&named, name) {
            Ok(()) => drop(self.known.insert(named)),
            Err(failure) => note(&format!("{:#}", failure.error)),
        }
    }

    fn upload(&self, id: &str, name: &str) -> Result<(), Failure> {
        let target = Target::Engine(self.kind, id.to_owned());
        let options = super::inspect_options(&self.arguments.source)?;
        let inspection = inspect(&target, &options).map_err(super::scan::failed(&target))?;
        let mut report = inventory_report(&inspection, Timestamp::now());
        // People know it by its name.
        name.clone_into(&mut report.artifact.target);
        self.client.upload(&formats::json::write_line(&report), "running").map(drop)
    }
}

/// What the server is told of a container.
fn workload(container: &RunningContainer) -> Value {
    let digest = container.image.as_ref().or(container.manifest.as_ref()).map(ToString::to_string);
    json!({
        "name": container.name,
        "image_digest": digest.unwrap_or_default(),
        "image_name": container.image_name,
        "privileged": container.privileged,
        "labels": container.labels,
    })
}
