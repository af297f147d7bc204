//! The catalog on whole files.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

const TEAMS: &str = include_str!("../../../../tests/fixtures/catalog/teams.yaml");
const SHOP: &str = include_str!("../../../../tests/fixtures/catalog/shop.yaml");
const BASES: &str = include_str!("../../../../tests/fixtures/catalog/catalog-info.yaml");

fn organisation() -> Catalog {
    Catalog::load([("teams.yaml", TEAMS), ("shop.yaml", SHOP), ("catalog-info.yaml", BASES)]).unwrap()
}

fn reference(text: &str) -> EntityRef {
    text.parse().unwrap()
}

/// The organisation with one more file, which is wrong.
fn check(text: &str, expected: Expect) {
    let errors = Catalog::load([("teams.yaml", TEAMS), ("shop.yaml", SHOP), ("new.yaml", text)]).unwrap_err();
    let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
    expected.assert_eq(&(shown.join("\n") + "\n"));
}

#[test]
fn an_organisation_is_read() {
    let catalog = organisation();
    let counts = [catalog.domains.len(), catalog.systems.len(), catalog.components.len(), catalog.resources.len()];
    assert_eq!(counts, [1, 1, 4, 1]);
    assert_eq!((catalog.teams.len(), catalog.people.len()), (5, 4));
    let notes: Vec<String> =
        catalog.notes.iter().map(|note| format!("{}:{} {}", note.origin.file, note.origin.line, note.text)).collect();
    expect![[r#"
        [
            "teams.yaml:96 entities of kind `Location` are left out",
            "shop.yaml:86 entities of kind `API` are left out",
        ]
    "#]]
    .assert_debug_eq(&notes);
    let api = &catalog.components[&reference("component:shop-api")];
    assert_eq!(api.metadata.links.len(), 2);
    assert_eq!(api.metadata.labels["tier"], "1");
    assert_eq!(api.depends_on, [reference("resource:orders-db"), reference("component:checkout")]);
    assert_eq!(catalog.people[&reference("user:ada")].metadata.name, "Ada");
}

#[test]
fn the_catalog_is_a_document() {
    let catalog = organisation();
    let text = serde_json::to_string(&catalog).unwrap();
    assert_eq!(serde_json::from_str::<Catalog>(&text).unwrap(), catalog);
    drop(schemars::schema_for!(Catalog));
}

#[test]
fn the_order_of_files_does_not_matter() {
    let mut one = organisation();
    let mut other = Catalog::load([("catalog-info.yaml", BASES), ("shop.yaml", SHOP), ("teams.yaml", TEAMS)]).unwrap();
    one.notes.clear();
    other.notes.clear();
    assert_eq!(one, other);
}

#[test]
fn a_component_takes_what_it_does_not_say_from_its_system() {
    let catalog = organisation();
    let say = |name: &str| serde_json::to_string_pretty(&catalog.effective(&reference(name)).unwrap()).unwrap();
    expect![[r##"
        {
          "system": "system:default/shop",
          "team": "group:default/storefront",
          "business_owner": "user:default/ada",
          "data_classification": "public",
          "criticality": "high",
          "environments": [
            "production"
          ],
          "ticket_board": "SHOP",
          "channels": [
            "mail:storefront@org.example",
            "chat:#shop"
          ],
          "lifecycle": "production"
        }"##]]
    .assert_eq(&say("component:shop-web"));
    // Only through the component that it is a part of.
    let checkout = catalog.effective(&reference("component:checkout")).unwrap();
    assert_eq!(checkout.system, Some(reference("system:shop")));
    assert_eq!(checkout.team, Some(reference("group:payments")));
    assert_eq!(checkout.criticality, Some(Criticality::Critical));
    assert_eq!(checkout.is_production(), Some(true));
    assert_eq!(checkout.in_environment("staging").is_production(), Some(false));
    let deprecated = Context { lifecycle: Some("deprecated".into()), ..Context::default() };
    assert_eq!(deprecated.is_production(), None);
    let bases = catalog.effective(&reference("component:base-images")).unwrap();
    assert_eq!((bases.system, bases.criticality), (None, None));
    assert_eq!(catalog.effective(&reference("component:nobody")), None);
}

#[test]
fn an_image_belongs_to_the_component_with_the_longest_prefix() {
    let catalog = organisation();
    for (image, expected) in [
        ("registry.example/shop/api:1.4", Some("component:default/shop-api")),
        ("registry.example/shop/api-worker@sha256:00", Some("component:default/shop-api")),
        ("registry.example/shop/apis", Some("component:default/shop-web")),
        ("registry.example/shop/web", Some("component:default/shop-web")),
        ("registry.example:5000/pay/checkout:2", Some("component:default/checkout")),
        ("registry.example/base/debian:12", Some("component:default/base-images")),
        ("elsewhere.example/shop/api", None),
        ("", None),
        ("régistry.example/ß", None),
    ] {
        assert_eq!(
            catalog.component_of_image(image).map(|reference| reference.to_string()).as_deref(),
            expected,
            "{image}"
        );
    }
}

#[test]
fn who_is_in_a_team_is_in_the_teams_around_it() {
    let catalog = organisation();
    for (person, team, expected) in [
        ("user:sam_okafor", "group:payments", true),
        ("user:Sam_Okafor", "group:Engineering", true),
        ("user:sam_okafor", "group:example-org", true),
        ("user:sam_okafor", "group:platform", false),
        ("user:jo.miller", "group:platform", true),
        ("user:jo.miller", "group:example-org", true),
        ("user:ada", "group:engineering", false),
        ("user:development/guest", "group:engineering", true),
        ("user:guest", "group:engineering", false),
    ] {
        assert_eq!(catalog.is_member(&reference(person), &reference(team)), expected, "{person} {team}");
    }
    assert_eq!(catalog.team_of(&reference("user:sam_okafor")), Some(&reference("group:storefront")));
    assert_eq!(catalog.teams[&reference("group:platform")].parents, [reference("group:engineering")]);
    assert_eq!(catalog.teams[&reference("group:payments")].members, [reference("user:sam_okafor")]);
}

#[test]
fn every_mistake_of_a_document_is_shown_with_what_to_do() {
    check(
        "apiVersion: backstage.io/v1\nkind: Component\nmetadata:\n  name: -x\nspec: {}\n---\n\
         apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: x\n  annotations:\n    \
         dogwatch.dev/criticalty: high\n    dogwatch.dev/data-classification: secret\n    dogwatch.dev/images: a/b, a/b:1\n    \
         dogwatch.dev/business-owner: group:storefront\n  labels: {a: 1}\nspec:\n  type: service\n  owner: system:shop\n",
        expect![[r#"
            error[unknown-value]: a Component has no apiVersion `backstage.io/v1`
             --> new.yaml:1:13
              |
            1 | apiVersion: backstage.io/v1
              |             ^^^^^^^^^^^^^^^
              = help: write one of: backstage.io/v1alpha1, backstage.io/v1beta1
            error[wrong-name]: a name has letters, digits, `-`, `_` and `.`, begins and ends with a letter or digit, and has at most 63 characters
             --> new.yaml:4:9
              |
            4 |   name: -x
              |         ^^
            error[unknown-annotation]: there is no annotation `dogwatch.dev/criticalty`
              --> new.yaml:12:5
               |
            12 |     dogwatch.dev/criticalty: high
               |     ^^^^^^^^^^^^^^^^^^^^^^^
               = help: did you mean `dogwatch.dev/criticality`?
            error[unknown-value]: `secret` is no value of `data-classification`
              --> new.yaml:13:39
               |
            13 |     dogwatch.dev/data-classification: secret
               |                                       ^^^^^^
               = help: one of: public, internal, confidential, restricted
            error[wrong-pattern]: `a/b:1` names a tag or digest, and every tag of a repository is one component's
              --> new.yaml:14:31
               |
            14 |     dogwatch.dev/images: a/b, a/b:1
               |                               ^^^^^
               = help: name the repository: `registry.example/shop/api`, `registry.example/shop/*`
            error[wrong-reference]: `business-owner` refers to a user, not to a group
              --> new.yaml:15:34
               |
            15 |     dogwatch.dev/business-owner: group:storefront
               |                                  ^^^^^^^^^^^^^^^^
            error[wrong-shape]: a value of `labels` is a text
              --> new.yaml:16:15
               |
            16 |   labels: {a: 1}
               |               ^
               = help: quote it
            error[missing-key]: `lifecycle` is missing
              --> new.yaml:18:3
               |
            18 |   type: service
               |   ^
               = help: say how far it is: experimental, production, deprecated
            error[wrong-reference]: `owner` refers to a group or a user, not to a system
              --> new.yaml:19:10
               |
            19 |   owner: system:shop
               |          ^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn mistakes_between_documents_name_both_places() {
    let component = |name: &str, rest: &str| {
        format!(
            "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {{name: {name}}}\n\
             spec: {{type: service, lifecycle: production, owner: storfront{rest}}}\n---\n"
        )
    };
    let annotated = "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: other\n  annotations:\n    \
                     dogwatch.dev/images: registry.example/shop/*\n\
                     spec: {type: service, lifecycle: production, owner: storefront, dependsOn: [api:unread]}\n";
    check(
        &(component("shop-api", "")
            + &component("a", ", subcomponentOf: b")
            + &component("b", ", subcomponentOf: a")
            + annotated),
        expect![[r#"
            error[duplicate-entity]: there is already a `component:default/shop-api`
             --> new.yaml:3:18
              |
            3 | metadata: {name: shop-api}
              |                  ^^^^^^^^
              = help: the first is at shop.yaml:29; give one of them another name or namespace
            error[dangling-reference]: there is no `group:default/storfront`, which `owner` refers to
             --> new.yaml:4:53
              |
            4 | spec: {type: service, lifecycle: production, owner: storfront}
              |                                                     ^^^^^^^^^
              = help: did you mean `storefront` of teams.yaml:40?
            error[circle]: these components are inside themselves: `a` (new.yaml:8), `b` (new.yaml:13)
             --> new.yaml:8:18
              |
            8 | metadata: {name: a}
              |                  ^
              = help: let one of them not name another as a part of itself
            error[dangling-reference]: there is no `group:default/storfront`, which `owner` refers to
             --> new.yaml:9:53
              |
            9 | spec: {type: service, lifecycle: production, owner: storfront, subcomponentOf: b}
              |                                                     ^^^^^^^^^
              = help: did you mean `storefront` of teams.yaml:40?
            error[dangling-reference]: there is no `group:default/storfront`, which `owner` refers to
              --> new.yaml:14:53
               |
            14 | spec: {type: service, lifecycle: production, owner: storfront, subcomponentOf: a}
               |                                                     ^^^^^^^^^
               = help: did you mean `storefront` of teams.yaml:40?
            error[duplicate-pattern]: `registry.example/shop/*` belongs to `component:default/shop-web` already
              --> new.yaml:21:26
               |
            21 |     dogwatch.dev/images: registry.example/shop/*
               |                          ^^^^^^^^^^^^^^^^^^^^^^^
               = help: it is said at shop.yaml:54; take it away from one of them
        "#]],
    );
}

#[test]
fn groups_are_not_inside_themselves() {
    let group = |name: &str, rest: &str| {
        format!(
            "apiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {{name: {name}}}\nspec: {{type: team, {rest}}}\n---\n"
        )
    };
    check(
        &(group("a", "parent: b")
            + &group("b", "children: []")
            + &group("c", "parent: d, children: [b]")
            + &group("d", "parent: c")
            + &group("x", "children: [c], parent: x")),
        expect![[r#"
            error[circle]: these groups are inside themselves: `c` (new.yaml:13), `d` (new.yaml:18)
              --> new.yaml:13:18
               |
            13 | metadata: {name: c}
               |                  ^
               = help: let one of them not name another as the parent of itself
            error[circle]: these groups are inside themselves: `x` (new.yaml:23)
              --> new.yaml:23:18
               |
            23 | metadata: {name: x}
               |                  ^
               = help: let one of them not name another as the parent of itself
        "#]],
    );
}

#[test]
fn what_is_no_catalog_is_said_once() {
    check(
        "kind: [\n",
        expect![[r#"
        error[yaml]: unclosed bracket '['
         --> new.yaml:1:7
          |
        1 | kind: [
          |       ^
    "#]],
    );
    check(
        "- a\n---\nkind: System\n",
        expect![[r#"
        error[wrong-shape]: an entity is a mapping of keys
         --> new.yaml:1:1
          |
        1 | - a
          | ^
        error[missing-key]: `apiVersion` is missing
         --> new.yaml:3:1
          |
        3 | kind: System
          | ^
          = help: write `apiVersion: backstage.io/v1alpha1`
    "#]],
    );
}

#[test]
fn a_long_chain_of_groups_is_walked_without_recursion() {
    let chain = |end: &str| -> Vec<String> {
        let parent = |n: usize| if n == 19_999 { end.to_owned() } else { format!("parent: g{}", n + 1) };
        let group = |n| {
            let spec = parent(n);
            format!(
                "---\napiVersion: backstage.io/v1alpha1\nkind: Group\nmetadata: {{name: g{n}}}\nspec: {{type: team, {spec}}}\n"
            )
        };
        (0..20_000).map(group).collect::<Vec<_>>().chunks(1_000).map(<[String]>::concat).collect()
    };
    let load = |texts: &[String]| {
        let people = "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: u}\nspec: {memberOf: [g0]}\n";
        Catalog::load(texts.iter().map(|text| ("g.yaml", text.as_str())).chain([("u.yaml", people)]))
    };
    let errors = load(&chain("parent: g0")).unwrap_err();
    assert_eq!(errors.len(), 1, "{}", errors[0]);
    let catalog = load(&chain("children: []")).unwrap();
    assert!(catalog.is_member(&reference("user:u"), &reference("group:g19999")));
    let all = chain("children: []").concat();
    assert_eq!(
        load(&[all]).unwrap_err()[0].to_string().lines().next(),
        Some("error[too-large]: the file has more than 10000 documents")
    );
}

proptest! {
    #[test]
    fn whatever_the_bytes_are_it_returns(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..40usize, "[ -~\\n]{0,12}|---\n|&a |\\*a|ß|\\| "), 1..6)
    ) {
        let mut text = TEAMS.to_owned() + "---\n" + SHOP;
        for (at, length, new) in cuts {
            let start = at.index(text.len());
            let end = (start + length).min(text.len());
            if text.is_char_boundary(start) && text.is_char_boundary(end) {
                text.replace_range(start..end, &new);
            }
        }
        match Catalog::load([("c.yaml", text.as_str())]) {
            Ok(catalog) => {
                let json = serde_json::to_string(&catalog).unwrap();
                prop_assert_eq!(serde_json::from_str::<Catalog>(&json).unwrap(), catalog);
            }
            Err(errors) => errors.iter().for_each(|error| assert!(!error.to_string().is_empty())),
        }
    }
}
