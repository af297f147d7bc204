//! `make demo`: from a fresh clone to a verdict about a real image, and to a server that knows a small organisation.

mod organisation;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::image::Image;
use crate::machine::{self, say};
use crate::{parts, test};

/// What the demo's base image is called in `dogwatch bases`.
const BASE: &str = "debian-12-without-updates";

/// Where dogwatch keeps the user's bases; the demo's belongs to the demo.
const DATA_DIR: &str = "DOGWATCH_DATA_DIR";

/// Builds, puts the image together meanwhile, registers its base, and scans.
pub fn run(image: Option<&str>) -> Result<()> {
    std::env::set_current_dir(crate::root()).context("the repository cannot be entered")?;
    let own = image.is_none();
    // Fetching waits for the network, compiling for the processor.
    let fetching = thread::spawn(move || if own { self::image().map(Some) } else { Ok(None) });
    say("building dogwatch");
    let dogwatch = test::build_dogwatch()?;
    std::fs::create_dir_all(crate::cache())?;
    let index = crate::cache().join("advisories.index");
    say("compiling the advisories that ship with dogwatch");
    shown(Command::new(&dogwatch).args(["advisories", "build", "--from", "data/advisories", "--out"]).arg(&index))?;
    let layout = fetching.join().map_err(|_| anyhow::anyhow!("putting the image together panicked"))??;
    let target = match (&layout, image) {
        (_, Some(image)) => image.to_owned(),
        (Some(layout), None) => {
            let base = format!("oci-dir:{}:base", layout.display());
            machine::output(Command::new(&dogwatch).args(["bases", "add", BASE, &base]).env(DATA_DIR, demo_data()))?;
            format!("oci-dir:{}:shop", layout.display())
        }
        (None, None) => bail!("there is no image to scan"),
    };
    let mut scan = Command::new(&dogwatch);
    scan.args(["scan", &target, "--index"]).arg(&index);
    if own {
        scan.env(DATA_DIR, demo_data());
    }
    scan.env_remove("DOGWATCH_SERVER");
    say(&machine::shown(&scan));
    let status = scan.stdin(Stdio::null()).status()?;
    match status.code() {
        Some(0) => say("exit code 0: it may ship"),
        Some(1) => say("exit code 1: policy says no, so this would stop a pipeline"),
        _ => bail!("the scan could not tell ({status})"),
    }
    match layout {
        Some(layout) => organisation::run(&dogwatch, &index, &layout),
        None => Ok(()),
    }
}

fn demo_data() -> PathBuf {
    crate::cache().join("demo")
}

/// The demo's images as one OCI layout: `base` (Debian alone) and `python` on it, which others share; `shop` (all layers), and the
/// images of the sample organisation.
pub fn image() -> Result<PathBuf> {
    machine::install(machine::DEMO)?;
    parts::made_once("organisation", |partial| {
        // The slow one beside the others.
        let debian = thread::spawn(parts::debian);
        let (pypi, npm, programs) = (parts::pypi()?, parts::npm()?, parts::programs()?);
        let debian = debian.join().map_err(|_| anyhow::anyhow!("fetching Debian panicked"))??;
        say("putting the image together");
        let mut image = Image::begin(partial)?;
        image.tar(&debian, "ADD debian.tar / # bookworm, main, minbase and python3")?;
        image.step("CMD [\"bash\"]");
        image.finish(
            "base",
            &json!({ "Cmd": ["bash"], "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] }),
        )?;
        let mut payments = image.clone();
        image.directory(&pypi, "RUN pip install -r requirements.txt")?;
        image.finish("python", &config())?;
        let mut reports = image.clone();
        image.directory(&npm, "COPY shop /srv/shop # npm install")?;
        image.directory(&programs, "COPY bin /usr/local/bin")?;
        image.step("EXPOSE 8080/tcp");
        image.finish("shop", &config())?;
        payments.directory(&npm, "COPY checkout /srv/checkout # npm install")?;
        payments.finish("checkout", &config())?;
        payments.directory(&programs, "COPY bin /usr/local/bin")?;
        payments.finish("billing", &config())?;
        reports.directory(&programs, "COPY bin /usr/local/bin")?;
        reports.finish("reports", &config())
    })
}

/// An empty `User` means root, as in most images.
fn config() -> Value {
    json!({
        "User": "",
        "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "Entrypoint": ["/usr/bin/python3", "-m", "flask", "run"],
        "WorkingDir": "/srv/shop",
        "ExposedPorts": { "8080/tcp": {} },
        "Labels": { "org.opencontainers.image.title": "shop", "org.opencontainers.image.version": "1.4.0" },
    })
}

/// Runs a command whose answer the user should see.
fn shown(command: &mut Command) -> Result<()> {
    say(&machine::shown(command));
    let status = command.stdin(Stdio::null()).status()?;
    if !status.success() {
        bail!("`{}` failed ({status})", machine::shown(command));
    }
    Ok(())
}
