//! The demo's second half: a server that knows a small organisation, fed by real scans.

use std::io::{BufRead, BufReader, IsTerminal};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::{BASE, DATA_DIR, demo_data, shown};
use crate::machine::{self, say};

/// The images that are uploaded, and where each runs.
const IMAGES: [(&str, &[&str]); 6] = [
    ("base", &[]),
    ("python", &[]),
    ("shop", &["prod-eu", "test"]),
    ("checkout", &["prod-eu"]),
    ("billing", &["prod-eu", "test"]),
    ("reports", &["test"]),
];

/// Starts the server, tells it about the organisation, and says what to try. Stays while somebody looks.
pub(super) fn run(dogwatch: &Path, index: &Path, layout: &Path) -> Result<()> {
    let directory = demo_data().join("server");
    // Each demo tells its own story.
    std::fs::remove_dir_all(&directory).ok();
    let mut serve = Command::new(dogwatch);
    serve.args(["serve", "--listen", "127.0.0.1:7979", "--data-dir"]).arg(&directory).arg("--index").arg(index);
    say(&machine::shown(&serve));
    let child = serve.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut server = Stopped(child);
    let mut lines = BufReader::new(server.0.stdout.take().context("no output")?).lines();
    let Some(url) = lines.next().transpose()?.and_then(|line| Some(line.strip_prefix("listening at ")?.to_owned()))
    else {
        bail!("the server does not start; is something else at port 7979?");
    };
    let token = lines.next().transpose()?.unwrap_or_default();
    let token = token.rsplit(' ').next().unwrap_or_default().to_owned();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(dogwatch);
        command.args(arguments).env("DOGWATCH_SERVER", &url).env("DOGWATCH_TOKEN", &token).env(DATA_DIR, demo_data());
        command
    };
    say("scanning the organisation's images and uploading the reports");
    for (name, _) in IMAGES {
        let target = format!("oci-dir:{}:{name}", layout.display());
        if name == "python" {
            machine::output(&mut run(&["bases", "add", &format!("{BASE}-python"), &target]))?;
        }
        let mut scan = run(&["scan", &target, "--index", &index.display().to_string(), "-o", "json=/dev/null"]);
        // The verdict is the server's to tell.
        if scan.stdin(Stdio::null()).stderr(Stdio::null()).status()?.code().is_none_or(|code| code > 1) {
            bail!("`{}` failed", machine::shown(&scan));
        }
    }
    let files = crate::root().join("xtask/src/demo");
    let file = |name: &str| files.join(name).display().to_string();
    machine::output(&mut run(&["portfolio", "put", "catalog", &file("catalog-info.yaml")]))?;
    machine::output(&mut run(&["portfolio", "put", "owner-rules", &file("OWNERS")]))?;
    for environment in ["prod-eu", "test"] {
        let running = IMAGES.iter().filter(|(_, places)| places.contains(&environment));
        let workloads: Vec<_> =
            running.map(|(name, _)| json!({ "name": name, "image_name": name, "internet": *name == "shop" })).collect();
        let path = demo_data().join(format!("{environment}.json"));
        std::fs::write(&path, serde_json::to_string(&workloads)?)?;
        machine::output(&mut run(&["portfolio", "running", environment, &path.display().to_string()]))?;
    }
    // The catalog and what runs are judged with within a second or two.
    std::thread::sleep(Duration::from_secs(3));
    shown(&mut run(&["portfolio", "images"]))?;
    shown(&mut run(&["portfolio", "dependents", "python"]))?;
    say(&format!(
        "try more:\n  export DOGWATCH_SERVER={url} DOGWATCH_TOKEN={token}\n  \
         dogwatch portfolio dependents lodash        # which images, teams, environments have it\n  \
         dogwatch portfolio images --team payments\n  \
         dogwatch portfolio explain shop CVE-2021-44906\n  \
         dogwatch portfolio changes | tail -3         # the change feed\n  \
         curl -s -H \"Authorization: Bearer $DOGWATCH_TOKEN\" $DOGWATCH_SERVER/api/v1/openapi.json"
    ));
    if std::io::stdin().is_terminal() {
        say("the server runs until you press Ctrl-C");
        server.0.wait()?;
    }
    Ok(())
}

/// A process that does not outlive the demo.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
