//! Owner rules on whole files.

use expect_test::{Expect, expect};

use super::*;

const TEAMS: &str = include_str!("../../../../tests/fixtures/catalog/teams.yaml");
const SHOP: &str = include_str!("../../../../tests/fixtures/catalog/shop.yaml");
const RULES: &str = include_str!("../../../../tests/fixtures/catalog/OWNERS");

fn catalog() -> Catalog {
    Catalog::load([("teams.yaml", TEAMS), ("shop.yaml", SHOP)]).unwrap()
}

fn show(owners: &[Ownership]) -> String {
    let show = |owner: &Ownership| match &owner.how {
        How::Stated { file, line } => format!("{} stated {file}:{line}", owner.team.short()),
        How::Catalog { component } => format!("{} catalog {}", owner.team.short(), component.short()),
        How::Proposed { label } => format!("{} proposed {label}", owner.team.short()),
    };
    owners.iter().map(show).collect::<Vec<_>>().join(", ")
}

fn check(subject: Subject, expected: &str) {
    let catalog = catalog();
    let rules = OwnerRules::load("OWNERS", RULES, &catalog).unwrap();
    assert_eq!(show(&rules.owners_of(&subject, &catalog)), expected, "{subject:?}");
    assert_eq!(rules.owner_of(&subject, &catalog), rules.owners_of(&subject, &catalog).into_iter().next());
}

fn image(names: &[&str]) -> Subject {
    Subject { images: names.iter().map(|name| (*name).to_owned()).collect(), ..Subject::default() }
}

fn labelled(key: &str, value: &str) -> Subject {
    Subject { labels: BTreeMap::from([(key.to_owned(), value.to_owned())]), ..image(&["elsewhere.example/x"]) }
}

#[test]
fn the_last_line_that_fits_wins() {
    check(image(&["registry.example/base/debian:12.4"]), "platform stated OWNERS:5");
    check(image(&["registry.example/base/debian:11"]), "platform stated OWNERS:3, payments stated OWNERS:3");
    check(image(&["registry.example/base/debian"]), "platform stated OWNERS:3, payments stated OWNERS:3");
    check(image(&["registry.example:5000/pay/vault@sha256:00"]), "payments stated OWNERS:8");
    check(
        image(&["elsewhere.example/a", "registry.example/base/x:1"]),
        "platform stated OWNERS:3, payments stated OWNERS:3",
    );
}

#[test]
fn a_base_owns_the_layers_it_brings_and_a_layer_may_have_its_own_owner() {
    let digest = |c: char| Digest::parse(&format!("sha256:{}", c.to_string().repeat(64))).unwrap();
    let layer =
        |c, base: Option<&str>| Subject { layer: Some(digest(c)), base: base.map(str::to_owned), ..Subject::default() };
    check(layer('b', Some("debian:12")), "platform stated OWNERS:6");
    check(layer('a', Some("debian:12")), "payments stated OWNERS:7");
    check(layer('b', None), "");
}

#[test]
fn a_line_without_owners_takes_them_away_from_everybody() {
    let owned = Subject {
        labels: BTreeMap::from([("team".into(), "payments".into())]),
        ..image(&["registry.example/shop/api-test:1"])
    };
    check(owned, "");
}

#[test]
fn where_no_line_fits_the_catalog_says_it() {
    check(image(&["registry.example/shop/api:1"]), "storefront catalog shop-api");
    // A person owns the component: the team they stand for.
    check(image(&["registry.example/shop/web:1"]), "storefront catalog shop-web");
    check(image(&["elsewhere.example/x"]), "");
}

#[test]
fn labels_propose_an_owner_that_the_catalog_knows() {
    for (key, value, expected) in [
        ("team", "Payments", "payments proposed team"),
        ("team", "group:default/payments", "payments proposed team"),
        ("owner", "user:sam_okafor", "storefront proposed owner"),
        ("owner", "nobody", ""),
        (
            "org.opencontainers.image.authors",
            "Sam <sam.okafor@ORG.example>",
            "storefront proposed org.opencontainers.image.authors",
        ),
        (
            "org.opencontainers.image.authors",
            "A <a@b>, platform@org.example",
            "platform proposed org.opencontainers.image.authors",
        ),
        ("org.opencontainers.image.vendor", "Platform Team", "platform proposed org.opencontainers.image.vendor"),
        (
            "org.opencontainers.image.source",
            "https://git.example/payments/vault.git",
            "payments proposed org.opencontainers.image.source",
        ),
        ("org.opencontainers.image.source", "https://payments/x", ""),
        ("app.kubernetes.io/part-of", "storefront", "storefront proposed app.kubernetes.io/part-of"),
        ("app.kubernetes.io/managed-by", "Helm", ""),
        ("com.docker.compose.project", "platform", "platform proposed com.docker.compose.project"),
        ("maintainer", "platform", ""),
        ("team", "", ""),
    ] {
        check(labelled(key, value), expected);
    }
    assert!(How::Proposed { label: "team".into() }.is_proposed());
}

fn check_mistakes(text: &str, expected: Expect) {
    let errors = OwnerRules::load("OWNERS", text, &catalog()).unwrap_err();
    expected.assert_eq(&(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n") + "\n"));
}

#[test]
fn mistakes_are_shown_at_their_place() {
    check_mistakes(
        "registry.example/shop/*\tplatfrom  # who builds it\nbase\nlayer sha256:12 payments\ntag registry.example/a payments\n\
         registry.example/a:1 user:ada\nimgae registry.example/a storefront\nbase x storefront a/b/c\n",
        expect![[r#"
            error[unknown-team]: the catalog has no team `platfrom`
             --> OWNERS:1:25
              |
            1 | registry.example/shop/* platfrom  # who builds it
              |                         ^^^^^^^^
              = help: did you mean `platform`?
            error[missing-pattern]: `base` is followed by a pattern
             --> OWNERS:2:1
              |
            2 | base
              | ^^^^
              = help: write `base PATTERN TEAM`; an image of that name is `image base`
            error[wrong-pattern]: `sha256:12` is not a SHA-256 digest (`sha256:` and 64 hex digits)
             --> OWNERS:3:7
              |
            3 | layer sha256:12 payments
              |       ^^^^^^^^^
              = help: write the layer's diff id, as `dogwatch scan` shows it
            error[wrong-pattern]: `registry.example/a` says no tag
             --> OWNERS:4:5
              |
            4 | tag registry.example/a payments
              |     ^^^^^^^^^^^^^^^^^^
              = help: write `tag registry.example/a:1.*`, or `image registry.example/a` for every tag
            error[wrong-pattern]: `registry.example/a:1` names a tag or digest, and an image's rule is for all of them
             --> OWNERS:5:1
              |
            5 | registry.example/a:1 user:ada
              | ^^^^^^^^^^^^^^^^^^^^
              = help: write `tag registry.example/a:1`, or leave the tag out
            error[wrong-reference]: owners are teams, and `user:ada` is a user
             --> OWNERS:5:22
              |
            5 | registry.example/a:1 user:ada
              |                      ^^^^^^^^
              = help: name a team that they are in
            error[unknown-kind]: `imgae` is taken for the name of an image, and what follows for its owners
             --> OWNERS:6:7
              |
            6 | imgae registry.example/a storefront
              |       ^^^^^^^^^^^^^^^^^^
              = help: did you mean `image`?
            error[wrong-reference]: a name has letters, digits, `-`, `_` and `.`, begins and ends with a letter or digit, and has at most 63 characters
             --> OWNERS:7:19
              |
            7 | base x storefront a/b/c
              |                   ^^^^^
              = help: write `team-a` or `group:default/team-a`
        "#]],
    );
    assert_eq!(OwnerRules::load("OWNERS", &"a b\n".repeat(1_000), &catalog()).unwrap_err().len(), MISTAKES_SHOWN);
    assert!(OwnerRules::load("OWNERS", &"#".repeat(5 << 20), &catalog()).is_err());
    assert!(OwnerRules::load("OWNERS", "", &catalog()).unwrap().rules.is_empty());
}

const MISTAKES_SHOWN: usize = 200;
