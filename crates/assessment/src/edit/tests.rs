//! Edits of manifests as projects write them; refusals; and that no other byte changes.

use proptest::prelude::*;

use super::dockerfile::{bases, composed, replace_base};
use super::{Manifest, Refused, Upgrade};

fn check(file: &str, text: &str, (name, from, to): (&str, &str, &str), expected: Result<&str, Refused>) {
    let (edited, mut became) = Manifest::of(file).unwrap().edit(text, &[Upgrade { name, from, to }]);
    let became = became.remove(0).map(|()| edited.as_str());
    assert_eq!(became, expected, "{text}");
    assert!(expected.is_ok() || edited == text);
}

#[test]
fn a_pin_of_pip_is_raised_and_what_hashes_pin_is_not() {
    let flask = ("Flask_Login", "0.5.0", "0.6.3");
    check(
        "requirements-dev.txt",
        "-r base.txt\r\nflask.login [x] == 0.5.0 ; python_version > '3' # why==0.5.0\r\nflask==0.5.0\r\n",
        flask,
        Ok("-r base.txt\r\nflask.login [x] == 0.6.3 ; python_version > '3' # why==0.5.0\r\nflask==0.5.0\r\n"),
    );
    let hashed = "flask-login==0.5.0 \\\n    # why\n    --hash=sha256:00 \\\n    --hash=sha256:11\n";
    check("requirements.txt", "flask-login==0.5.0 \\\n    --hash=sha256:00\n", flask, Err(Refused::Hashes));
    check("requirements.txt", hashed, ("other", "1", "2"), Err(Refused::NotNamed));
    check("requirements.txt", "flask-login>=0.5.0\n", flask, Err(Refused::NoVersion));
    check("requirements.txt", "flask\n", flask, Err(Refused::NotNamed));
}

#[test]
fn a_requirement_of_a_go_module_is_raised() {
    let net = ("golang.org/x/net", "0.7.0", "0.38.0");
    check(
        "go.mod",
        "module m\n\nrequire golang.org/x/net v0.7.0\nrequire (\n\tgolang.org/x/net v0.7.0 // indirect\n\ta.example/golang.org/x/net v0.7.0\n)\n",
        net,
        Ok(
            "module m\n\nrequire golang.org/x/net v0.38.0\nrequire (\n\tgolang.org/x/net v0.38.0 // indirect\n\ta.example/golang.org/x/net v0.7.0\n)\n",
        ),
    );
    check("go.mod", "require a v1.0.0\n", ("a", "v1.0.0", "2.0.0"), Err(Refused::MajorPath));
    check("go.mod", "require a v0.1.0\n", ("a", "v0.1.0", "v1.0.0"), Ok("require a v1.0.0\n"));
    check("go.mod", "require a v1.0.0\nreplace a => ../a\n", ("a", "1.0.0", "1.0.1"), Err(Refused::Replaced));
}

#[test]
fn a_version_or_its_property_is_raised_in_a_pom() {
    let log4j = ("org.apache.logging.log4j:log4j-core", "2.14.1", "2.17.1");
    let dependency = |version: &str| {
        format!(
            "<dependency>\n <groupId>org.apache.logging.log4j</groupId>\n <artifactId>log4j-core</artifactId>\n \
             <version>{version}</version>\n</dependency>\n"
        )
    };
    let commented = format!("<!-- {} -->", dependency("2.14.1"));
    let (before, after) = (dependency(" 2.14.1 "), dependency(" 2.17.1 "));
    check("pom.xml", &(commented.clone() + &before), log4j, Ok(&(commented + &after)));
    let property = |version: &str| {
        format!("<properties><log4j.version>{version}</log4j.version></properties>{}", dependency("${log4j.version}"))
    };
    check("pom.xml", &property("2.14.1"), log4j, Ok(&property("2.17.1")));
    let other = dependency("${log4j.version}").replace("log4j-core", "log4j-api");
    check("pom.xml", &(property("2.14.1") + &other), log4j, Ok(&(property("2.17.1") + &other)));
    let foreign = other.replace("org.apache.logging.log4j", "org.slf4j");
    let shared = Refused::Shared { property: "log4j.version".into(), others: "org.slf4j:log4j-api".into() };
    check("pom.xml", &(property("2.14.1") + &foreign), log4j, Err(shared));
    check("pom.xml", &dependency("${elsewhere}"), log4j, Err(Refused::Indirect));
    check("pom.xml", &dependency("[2,3)"), log4j, Err(Refused::NoVersion));
}

#[test]
fn where_upgrades_meet_the_highest_version_stands() {
    let artifact = |name: &str| {
        format!("<dependency><groupId>g</groupId><artifactId>{name}</artifactId><version>${{v}}</version></dependency>")
    };
    let text = |version: &str| format!("<v>{version}</v>{}{}", artifact("a"), artifact("b"));
    let upgrade = |name, to| Upgrade { name, from: "2.9.8", to };
    let upgrades = [upgrade("g:a", "2.9.10"), upgrade("g:b", "2.9.9")];
    let (edited, became) = Manifest::Pom.edit(&text("2.9.8"), &upgrades);
    assert_eq!((edited, became), (text("2.9.10"), vec![Ok(()), Ok(())]));
}

#[test]
fn a_pin_in_a_pyproject_is_raised() {
    check(
        "pyproject.toml",
        "[project]\ndependencies = [\"jinja2==3.1.2\", 'Jinja2[i18n]==3.1.2 ; python_version > \"3\"', \"jinja2-x==3.1.2\"] # \"jinja2==3.1.2\"\n",
        ("Jinja2", "3.1.2", "3.1.6"),
        Ok(
            "[project]\ndependencies = [\"jinja2==3.1.6\", 'Jinja2[i18n]==3.1.6 ; python_version > \"3\"', \"jinja2-x==3.1.2\"] # \"jinja2==3.1.2\"\n",
        ),
    );
    check("pyproject.toml", "dependencies = [\"jinja2>=3\"]", ("jinja2", "3.1.2", "3.1.6"), Err(Refused::NoVersion));
}

#[test]
fn a_range_of_npm_keeps_its_operator() {
    let lodash = ("lodash", "4.17.20", "4.17.21");
    check(
        "package.json",
        "{\"lodash\": \"^1\", \"dependencies\": {\"a\": \"1\", \"lodash\" : \"^4.17.20\"}, \"x\": {\"dependencies\": {\"lodash\": \"1\"}}}",
        lodash,
        Ok(
            "{\"lodash\": \"^1\", \"dependencies\": {\"a\": \"1\", \"lodash\" : \"^4.17.21\"}, \"x\": {\"dependencies\": {\"lodash\": \"1\"}}}",
        ),
    );
    check("package.json", "{\"devDependencies\": {\"lodash\": \"file:../x\"}}", lodash, Err(Refused::NoVersion));
    check("package.json", "{\"devDependencies\": {\"lodash\": \">=1 <5\"}}", lodash, Err(Refused::NoVersion));
    check("package.json", "{\"overrides\": {\"lodash\": \"4.17.20\"}}", lodash, Err(Refused::NotNamed));
}

#[test]
fn a_requirement_of_cargo_is_raised_in_every_table() {
    check(
        "Cargo.toml",
        "[package]\nversion = \"0.1.0\"\n[dependencies]\ntime = { default-features = false, version = \"0.1\" } # old\ntimes = \"0.1\"\n[target.'cfg(unix)'.dev-dependencies.time]\nversion = \"=0.1.43\"\n",
        ("time", "0.1.43", "0.2.23"),
        Ok(
            "[package]\nversion = \"0.1.0\"\n[dependencies]\ntime = { default-features = false, version = \"0.2.23\" } # old\ntimes = \"0.1\"\n[target.'cfg(unix)'.dev-dependencies.time]\nversion = \"=0.2.23\"\n",
        ),
    );
    check(
        "Cargo.toml",
        "[dependencies]\ntime.workspace = true\n",
        ("time", "0.1.43", "0.2.23"),
        Err(Refused::NotNamed),
    );
    let two = "[dependencies]\ntime = \"0.3\"\n";
    check("Cargo.toml", two, ("time", "0.1.43", "0.2.23"), Err(Refused::NoVersion));
    check("Cargo.toml", "[dependencies]\ntime = { path = \"t\" }\n", ("time", "1", "2"), Err(Refused::NoVersion));
}

#[test]
fn a_base_is_replaced_in_the_stages_that_are_built_on_it() {
    let replaced = |text: &str| replace_base(text, "debian:12.1-slim", "debian:12.12-slim");
    let text = "# syntax=x\nARG BASE=debian:12.1-slim\nFROM --platform=$BUILDPLATFORM debian:12.1-slim@sha256:00 AS build\r\n\
                RUN <<END\nFROM debian:12.1-slim\nEND\nRUN echo \\\nFROM debian:12.1-slim\nFROM ${BASE}\nFROM build\n";
    let expected = "# syntax=x\nARG BASE=debian:12.12-slim\nFROM --platform=$BUILDPLATFORM debian:12.12-slim AS build\r\n\
                    RUN <<END\nFROM debian:12.1-slim\nEND\nRUN echo \\\nFROM debian:12.1-slim\nFROM ${BASE}\nFROM build\n";
    assert_eq!(replaced(text).as_deref(), Ok(expected));
    assert_eq!(replaced("ARG V=12.1\nFROM debian:${V}-slim\n"), Err(Refused::Indirect));
    assert_eq!(bases(text), ["debian:12.1-slim@sha256:00", "debian:12.1-slim"]);
    assert_eq!(composed("ARG V=12.1\nARG B=a:1\nFROM debian:${V}-slim\nFROM $B\nFROM b\n"), ["debian:${V}-slim"]);
    assert_eq!(replaced("FROM alpine:3.20\n"), Err(Refused::NotNamed));
    assert_eq!(replace_base("FROM a\n", "a", "b\nRUN x"), Err(Refused::Unwritable));
}

proptest! {
    /// Whatever the text, an edit touches no line that does not hold the old version's first part, and keeps their number.
    #[test]
    fn other_lines_stay(text in "(?s)([ -~]{0,30}|(require )?a v?1\\.0\\.0|a==1\\.0\\.0( \\\\)?|a = \"1\\.0\\.0\"|\\[dependencies\\]|\"dependencies\": \\{|\"a\": \"1\\.0\\.0\"[,}]|[{}]|FROM a:1\\.0\\.0|<version>1\\.0\\.0</version>|<dependency>|\r?\n|.){0,40}") {
        let upgrade = Upgrade { name: "a", from: "1.0.0", to: "1.0.1" };
        use Manifest::{CargoToml, GoMod, PackageJson, Pom, Pyproject, Requirements};
        let edited = [CargoToml, GoMod, PackageJson, Pom, Pyproject, Requirements].map(|manifest| manifest.edit(&text, &[upgrade]).0);
        for edited in edited.into_iter().chain(replace_base(&text, "a:1.0.0", "a:1.0.1")) {
            prop_assert_eq!(edited.split('\n').count(), text.split('\n').count());
            for (old, new) in text.split('\n').zip(edited.split('\n')) {
                prop_assert!(old == new || new.contains("1.0.1"), "{old:?} became {new:?}");
            }
            let _ = super::diff::unified("x", &text, &edited);
        }
    }
}
