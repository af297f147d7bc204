use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::content::MemorySpool;

fn check(path: &str, text: &str, expected: Expect) {
    let bytes = text.as_bytes();
    let parsed = parse(&File { path, mode: 0o644, content: &bytes, spool: &MemorySpool });
    let facts = parsed.facts.iter().map(|fact| match fact {
        Fact::Distro(d) => {
            let field = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
            let (version, codename, pretty) = (field(&d.version_id), field(&d.codename), field(&d.pretty_name));
            format!("{} {version} {codename} {:?} {pretty} {}\n", d.id, d.id_like, field(&d.cpe))
        }
        other => format!("{other:?}\n"),
    });
    let problems = parsed.problems.iter().map(|problem| format!("{}: {}\n", problem.kind.as_str(), problem.detail));
    expected.assert_eq(&facts.chain(problems).collect::<String>());
}

/// Texts as the distributions ship them, shortened.
// Proves: cataloger os-release.
#[test]
fn os_release_of_each_family() {
    let check = |text, expected| check("usr/lib/os-release", text, expected);
    check(
        "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID=debian\n",
        expect![[r#"
            debian 12 bookworm [] Debian GNU/Linux 12 (bookworm) -
        "#]],
    );
    check(
        "PRETTY_NAME=\"Debian GNU/Linux trixie/sid\"\nVERSION_CODENAME=trixie\nID=debian\n",
        expect![[r#"
        debian - trixie [] Debian GNU/Linux trixie/sid -
    "#]],
    );
    check(
        "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.18.4\nPRETTY_NAME=\"Alpine Linux v3.18\"\n",
        expect![[r#"
        alpine 3.18.4 - [] Alpine Linux v3.18 -
    "#]],
    );
    check(
        "NAME=\"AlmaLinux\"\nVERSION=\"9.3 (Shamrock Pampas Cat)\"\nID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.3\"\nCPE_NAME=\"cpe:/o:almalinux:almalinux:9::baseos\"\n",
        expect![[r#"
            almalinux 9.3 - ["rhel", "centos", "fedora"] - cpe:/o:almalinux:almalinux:9::baseos
        "#]],
    );
}

#[test]
fn values_are_quoted_as_in_a_shell() {
    let check = |text, expected| check("etc/os-release", text, expected);
    check(
        "# ID=no\n ID='x' # comment\nPRETTY_NAME=\"a \\\"b\\\" \\$c \\d\"\nID_LIKE=\n",
        expect![[r#"
        x - - [] a "b" $c \d -
    "#]],
    );
    check(
        "ID=a\nID=Debian\nVERSION_ID=\"1",
        expect![[r#"
        debian 1 - [] - -
    "#]],
    );
    check(
        "NAME=Nobody\n",
        expect![[r#"
        malformed: the file names no distribution
    "#]],
    );
    check("\n", expect![""]);
}

#[test]
fn older_files_of_each_family() {
    for (path, text, expected) in [
        (
            "etc/alpine-release",
            "3.18.4\n",
            expect![[r#"
            alpine 3.18.4 - [] - -
        "#]],
        ),
        (
            "etc/debian_version",
            "12.5\n",
            expect![[r#"
            debian 12 - [] - -
        "#]],
        ),
        (
            "etc/debian_version",
            "6.0.10\n",
            expect![[r#"
            debian 6.0 - [] - -
        "#]],
        ),
        (
            "etc/debian_version",
            "trixie/sid\n",
            expect![[r#"
            debian - trixie [] - -
        "#]],
        ),
        (
            "etc/lsb-release",
            "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=10.04\nDISTRIB_CODENAME=lucid\nDISTRIB_DESCRIPTION=\"Ubuntu 10.04.4 LTS\"\n",
            expect![[r#"
                ubuntu 10.04 lucid [] Ubuntu 10.04.4 LTS -
            "#]],
        ),
        (
            "etc/centos-release",
            "CentOS release 5.11 (Final)\n",
            expect![[r#"
            centos 5.11 - [] CentOS release 5.11 (Final) -
        "#]],
        ),
        (
            "etc/redhat-release",
            "Red Hat Enterprise Linux Server release 6.10 (Santiago)\n",
            expect![[r#"
            rhel 6.10 - [] Red Hat Enterprise Linux Server release 6.10 (Santiago) -
        "#]],
        ),
        (
            "etc/redhat-release",
            "Derived from Red Hat Enterprise Linux 7\n",
            expect![[r#"
            malformed: the file names no distribution
        "#]],
        ),
        (
            "etc/system-release",
            "Amazon Linux AMI release 2018.03\n",
            expect![[r#"
            amzn 2018.03 - [] Amazon Linux AMI release 2018.03 -
        "#]],
        ),
        (
            "etc/SuSE-release",
            "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n",
            expect![[r#"
            sles 11.4 - [] SUSE Linux Enterprise Server 11 (x86_64) -
        "#]],
        ),
        (
            "etc/SuSE-release",
            "openSUSE 13.1 (x86_64)\nVERSION = 13.1\nCODENAME = Bottle\n",
            expect![[r#"
            opensuse 13.1 - [] openSUSE 13.1 (x86_64) -
        "#]],
        ),
    ] {
        check(path, text, expected);
    }
}

#[test]
fn the_administrators_file_comes_first_and_older_ones_last() {
    let mut paths = ["etc/debian_version", "etc/lsb-release", "usr/lib/os-release", "etc/os-release"];
    paths.sort_by_key(|path| precedence(path));
    assert_eq!(paths, ["etc/os-release", "usr/lib/os-release", "etc/lsb-release", "etc/debian_version"]);
    assert_eq!(precedence("opt/etc/os-release"), None);
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "(ID|VERSION|release |[=\"'\\\\ \n$a0.]|\\PC){0,60}", path in 0..PATHS.len()) {
        let bytes = text.as_bytes();
        parse(&File { path: PATHS[path], mode: 0o644, content: &bytes, spool: &MemorySpool });
    }
}
