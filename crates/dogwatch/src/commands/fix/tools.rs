//! The commands of the ecosystems' own tools that bring a lock file to a version. They are shown, never run.

use assessment::edit::is_compatible;
use model::inventory::Inventory;
use model::package::Package;

/// What a lock file is to follow.
pub(super) struct Asked<'a> {
    pub(super) package: &'a Package,
    pub(super) to: &'a str,
    /// Whether a manifest was edited.
    pub(super) edited: bool,
    pub(super) inventory: &'a Inventory,
    /// The beginning of the lock file.
    pub(super) head: &'a str,
}

/// The command to run in the top of the tree; else why there is none, where that can be said.
pub(super) fn command(file: &str, asked: &Asked<'_>) -> Result<String, Option<&'static str>> {
    let (directory, name) = file.rsplit_once('/').unwrap_or(("", file));
    let command = of(name, asked)?;
    let Package { name, version, .. } = asked.package;
    if ![name, version, asked.to, directory].into_iter().all(is_harmless) {
        return Err(Some("its name or version cannot stand in a command safely"));
    }
    Ok(if directory.is_empty() { command } else { format!("(cd {directory} && {command})") })
}

fn of(file: &str, asked: &Asked<'_>) -> Result<String, Option<&'static str>> {
    let &Asked { package, to, edited, .. } = asked;
    let Package { name, version: from, direct, .. } = package;
    let plain = to.strip_prefix('v').unwrap_or(to);
    Ok(match file {
        "package-lock.json" | "npm-shrinkwrap.json" if edited => "npm install".into(),
        "package-lock.json" | "npm-shrinkwrap.json" if *direct => format!("npm install {name}@{to}"),
        // Only for those who ask for the old version: another version beside it may be there with reason.
        "package-lock.json" | "npm-shrinkwrap.json" => {
            format!("npm pkg set 'overrides[{name}@{from}]={to}' && npm install")
        }
        "pnpm-lock.yaml" if edited => "pnpm install --no-frozen-lockfile".into(),
        "pnpm-lock.yaml" if *direct => format!("pnpm update {name}@{to}"),
        "pnpm-lock.yaml" => {
            format!("npm pkg set 'pnpm.overrides[{name}@{from}]={to}' && pnpm install --no-frozen-lockfile")
        }
        "yarn.lock" if edited => "yarn install".into(),
        "yarn.lock" if *direct && is_berry(asked.head) => format!("yarn up {name}@{to}"),
        "yarn.lock" if *direct => format!("yarn upgrade {name}@{to}"),
        "yarn.lock" if asked.is_there_twice() => {
            return Err(Some(
                "it is there in several versions, of which `resolutions` would make one; raise what pulls it in",
            ));
        }
        "yarn.lock" => format!("npm pkg set 'resolutions[{name}]={to}' && yarn install"),
        "bun.lock" if edited => "bun install".into(),
        "Cargo.lock" if !edited && !is_compatible(from, to) => {
            return Err(Some("what needs it does not accept that version; raise that first"));
        }
        "Cargo.lock" => format!("cargo update -p {name}@{from} --precise {to}"),
        "go.mod" | "go.sum" if name == "stdlib" => format!("go get toolchain@go{plain}"),
        "go.mod" | "go.sum" => format!("go get {name}@v{plain} && go mod tidy"),
        "uv.lock" => format!("uv lock --upgrade-package {name}=={to}"),
        "pdm.lock" if edited => "pdm lock --update-reuse".into(),
        "poetry.lock" if *direct => format!("poetry add {name}@{to}"),
        "poetry.lock" => format!("poetry update {name}"),
        "Pipfile.lock" => format!("pipenv upgrade {name}=={to}"),
        "Gemfile.lock" => format!("bundle update --conservative {name}"),
        "composer.lock" if *direct => format!("composer require {name}:{to}"),
        "composer.lock" => format!("composer update {name} --with {name}:{to}"),
        _ => return Err(None),
    })
}

impl Asked<'_> {
    fn is_there_twice(&self) -> bool {
        let alike = |other: &&Package| other.kind == self.package.kind && other.name == self.package.name;
        self.inventory.packages.iter().filter(alike).count() > 1
    }
}

/// Yarn 2 and later, whose lock files are YAML and begin so.
fn is_berry(head: &str) -> bool {
    head.contains("__metadata:")
}

/// Names come from strangers' files: a command is shown only when a shell and the tool read it as it looks.
fn is_harmless(word: &str) -> bool {
    !word.starts_with('-') && word.chars().all(|c| c.is_ascii_alphanumeric() || "@/._+:-".contains(c))
}
