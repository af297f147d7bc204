//! Containers that are watched: what runs, what happens, and what happened meanwhile. Real Docker and Podman.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use dogwatch_e2e::engines::Engine;
use dogwatch_e2e::skip;
use engines::{ContainerAction, ContainerEvent, EngineError, EngineKind, RunningContainer};
use model::Timestamp;
use xtask::parts;

/// How long anything may take to happen, on a busy machine.
const HAPPENS_MAX: Duration = Duration::from_secs(60);

/// An engine with an image of Debian, `shop:12`, and the same engine as a watcher sees it.
struct Watched {
    engine: Engine,
    asked: engines::Engine,
}

impl Watched {
    fn new(kind: EngineKind) -> Option<Self> {
        let tar = match parts::debian() {
            Ok(tar) => tar.display().to_string(),
            Err(error) => {
                skip(&format!("{error:#}"));
                return None;
            }
        };
        let engine = if kind == EngineKind::Podman { Engine::podman()? } else { Engine::docker()? };
        engine.run(&["import", "--change", "LABEL base=debian", &tar, "shop:12"]);
        let asked = engines::Engine::at(kind, engine.socket());
        Some(Self { engine, asked })
    }

    fn start(&self, name: &str, seconds: &str) {
        let labels = ["--label", "team=a"];
        let run = ["run", "--detach", "--network", "none", "--name", name];
        self.engine.run(&[&run[..], &labels[..], &["shop:12", "sleep", seconds]].concat());
    }

    /// What happens, told by a thread for as long as the engine is there.
    fn events(&self, since: Timestamp) -> Receiver<Result<ContainerEvent, EngineError>> {
        let events = self.asked.events(Some(since)).expect("a stream");
        let (to, from) = channel();
        std::thread::spawn(move || events.for_each(|event| drop(to.send(event))));
        from
    }

    fn only(&self) -> RunningContainer {
        let mut running = self.asked.containers().expect("a list");
        assert_eq!(running.len(), 1, "{running:?}");
        running.remove(0)
    }
}

/// The next event that is of this kind.
fn next(
    events: &Receiver<Result<ContainerEvent, EngineError>>,
    wanted: fn(&ContainerAction) -> bool,
) -> ContainerEvent {
    loop {
        let event = events.recv_timeout(HAPPENS_MAX).expect("an event").expect("no error");
        if wanted(&event.action) {
            return event;
        }
    }
}

fn starts(action: &ContainerAction) -> bool {
    *action == ContainerAction::Start
}

fn dies(action: &ContainerAction) -> bool {
    matches!(action, ContainerAction::Die { .. })
}

fn labels(labels: &std::collections::BTreeMap<String, String>) -> [Option<&str>; 2] {
    ["base", "team"].map(|key| labels.get(key).map(String::as_str))
}

/// A container that lives for three seconds, one that runs, and what of them is told to who comes late.
fn what_happens_is_told(watched: &Watched) {
    let Watched { engine, asked } = watched;
    assert_eq!(asked.containers().expect("a list"), []);
    let before = Timestamp::now();
    let events = watched.events(before);
    watched.start("brief", "3");
    let start = next(&events, starts);
    let id = engine.run(&["inspect", "--format", "{{.Id}}", "brief"]);
    assert_eq!((start.id.as_str(), start.name.as_str()), (id.as_str(), "brief"));
    assert!(start.image_name.ends_with("shop:12"), "{start:?}");
    assert_eq!(labels(&start.labels), [Some("debian"), Some("a")], "{start:?}");
    let running = watched.only();
    assert!(running.started_at.is_some_and(|at| at >= before), "{running:?} {before}");

    let die = next(&events, dies);
    assert_eq!((&die.id, die.name.as_str(), &die.image_name), (&id, "brief", &start.image_name));
    assert_eq!(die.action, ContainerAction::Die { exit_code: Some(0) });
    let lived = die.at.duration_since(start.at).as_secs_f64();
    assert!((2.5..30.0).contains(&lived) && start.at >= before, "{start:?} {die:?}");
    assert_eq!(asked.running("brief").expect("an answer"), None);
    assert!(matches!(asked.running("nobody"), Err(EngineError::NotFound { .. })));

    watched.start("web", "1000");
    let started = next(&events, starts);
    let running = watched.only();
    let image = engine.run(&["images", "--no-trunc", "--quiet", "shop:12"]);
    assert_eq!(running.image.as_ref().map(ToString::to_string), Some(image));
    assert_eq!((&running.id, running.name.as_str(), &running.image_name), (&started.id, "web", &started.image_name));
    assert_eq!(labels(&running.labels), [Some("debian"), Some("a")]);
    assert_eq!((running.privileged, running.network.as_str(), running.ports.len()), (false, "none", 0));
    assert_eq!(asked.running(&running.id[..12]).expect("an answer"), Some(running));

    // Who was away is told what was missed, and no more.
    assert_eq!(next(&watched.events(before), starts), start);
    assert_eq!(next(&watched.events(before), dies), die);
    let later = die.at + Duration::from_millis(1);
    assert_eq!(next(&watched.events(later), starts), started);

    engine.run(&["rename", "web", "site"]);
    let renamed = next(&events, |action| matches!(action, ContainerAction::Rename { .. }));
    assert_eq!((renamed.id, renamed.name.as_str()), (started.id, "site"));
    // Podman does not say what it was called.
    let from = if asked.kind() == EngineKind::Docker { "web".to_owned() } else { String::new() };
    assert_eq!(renamed.action, ContainerAction::Rename { from });
    engine.run(&["rm", "--force", "brief"]);
    let removed = next(&events, |action| *action == ContainerAction::Destroy);
    assert_eq!((removed.id, removed.name.as_str()), (id, "brief"));
}

#[test]
fn docker_tells_what_happens_until_it_is_gone() {
    let Some(watched) = Watched::new(EngineKind::Docker) else { return };
    what_happens_is_told(&watched);
    let events = watched.events(Timestamp::now());
    let Watched { engine, asked } = watched;
    drop(engine);
    let mut last = None;
    while let Ok(event) = events.recv_timeout(HAPPENS_MAX) {
        assert!(!matches!(last, Some(Err(_))), "{last:?} is not the end");
        last = Some(event);
    }
    let Some(Err(error)) = last else { panic!("{last:?} is no error") };
    assert_eq!(error.to_string(), "could not read the events of containers from docker");
    assert!(matches!(asked.events(None), Err(EngineError::Connection { .. })));
    assert!(matches!(asked.containers(), Err(EngineError::Connection { .. })));
}

#[test]
fn podman_tells_what_happens() {
    let Some(watched) = Watched::new(EngineKind::Podman) else { return };
    what_happens_is_told(&watched);
}
