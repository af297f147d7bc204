//! Debian's own tools as the independent truth: what they upgraded, removed and call upgradable.

use std::collections::BTreeSet;

use dogwatch_e2e::images::{REMOVED, upgraded};
use dogwatch_e2e::program::User;
use serde_json::Value;

fn packages(report: &Value) -> &Vec<Value> {
    report["inventory"]["packages"].as_array().expect("packages")
}

#[test]
fn a_layer_brings_what_it_upgraded_and_nothing_else() {
    let Some(image) = upgraded() else { return };
    let user = User::new();
    let layout = image.layout.display();
    let [name, old, new] = &image.package;
    user.run(&["bases", "add", "debian", &format!("oci-dir:{layout}:base")]).exits(0);
    assert!(user.run(&["bases", "list"]).exits(0).stdout.starts_with("debian\t1 layers"));
    let before = user.scan(&format!("oci-dir:{layout}:base"), &[]);
    let after = user.scan(&format!("oci-dir:{layout}:upgraded"), &[]);
    let version = |report: &Value, name: &str| {
        let mut of = packages(report).iter().filter(|package| package["name"] == name);
        of.next().map(|package| package["version"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(version(&before, name).as_ref(), Some(old));
    assert_eq!(version(&after, name).as_ref(), Some(new));
    assert!(version(&before, REMOVED).is_some());
    assert_eq!(version(&after, REMOVED), None, "a removed package is gone");
    // apt may have upgraded what the package needs as well; everything else is still the base's.
    let status = |report: &Value| -> BTreeSet<String> {
        packages(report).iter().map(|package| package["purl"].to_string()).collect()
    };
    let (old, new) = (status(&before), status(&after));
    for package in packages(&after) {
        let (layer, origin) = match old.contains(&package["purl"].to_string()) {
            true => (0, "base"),
            false => (1, "application"),
        };
        assert_eq!((package["layer"].as_u64(), package["origin"].as_str()), (Some(layer), Some(origin)), "{package}");
    }
    assert!(new.difference(&old).count() < 5, "the second layer changes little: {:?}", new.difference(&old));
}

#[test]
fn what_the_advisories_call_fixed_in_an_update_apt_can_upgrade_to() {
    let Some(image) = upgraded() else { return };
    let user = User::new();
    let report = user.scan(&format!("oci-dir:{}:base", image.layout.display()), &[]);
    let upgradable: BTreeSet<&str> = image.upgradable.lines().filter_map(|line| line.split('/').next()).collect();
    let mut flagged = BTreeSet::new();
    for finding in report["findings"].as_array().expect("findings") {
        let package = &packages(&report)[finding["package"].as_u64().expect("an id") as usize];
        assert_eq!(package["id"], finding["package"]);
        if package["type"] == "deb" && finding["fix"].to_string().contains("deb12u") {
            flagged.insert(package["name"].as_str().expect("a name"));
        }
    }
    let wrong: Vec<_> = flagged.difference(&upgradable).collect();
    assert!(wrong.is_empty(), "apt knows no update for {wrong:?}, only for {upgradable:?}");
    assert!(!flagged.is_empty(), "nothing was found, yet apt would upgrade {upgradable:?}");
}
