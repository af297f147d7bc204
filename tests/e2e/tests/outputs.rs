//! Every format of the real program, read by programs that others wrote.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use dogwatch_e2e::images::small;
use dogwatch_e2e::program::User;
use dogwatch_e2e::{have, skip};
use serde_json::Value;

fn start() -> Option<(User, String)> {
    Some((User::new(), format!("oci-dir:{}", small()?.display())))
}

/// What a program printed; it must succeed.
fn printed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn all_formats_in_one_call() {
    let Some((user, image)) = start() else { return };
    let template = user.file("mine.json.j2", "{{ findings|length }}");
    let help = user.run(&["scan", "--help"]).exits(0).stdout;
    let mut arguments = vec!["scan".to_owned(), image, "--template".into(), template];
    let formats = [
        "table",
        "json",
        "html",
        "csv",
        "sarif",
        "junit",
        "gitlab",
        "github-summary",
        "github-annotations",
        "cyclonedx",
        "spdx",
        "cosign-vuln",
        "template",
    ];
    for format in formats {
        assert!(help.contains(&format!("- {format}:")), "{format} is not in the help:\n{help}");
        arguments.extend(["-o".to_owned(), format!("{format}={}", user.path(format).display())]);
    }
    user.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).exits(1);
    let text = |name: &str| fs::read_to_string(user.path(name)).expect("a file");
    let report: Value = serde_json::from_str(&text("json")).expect("JSON");
    let count = report["findings"].as_array().expect("findings").len();
    assert!(count > 50);
    assert_eq!(text("template"), count.to_string());
    let gitlab: Value = serde_json::from_str(&text("gitlab")).expect("JSON");
    assert_eq!(gitlab["vulnerabilities"].as_array().map(Vec::len), Some(count));
    assert!(formats.iter().all(|format| !text(format).contains('\u{1b}')), "files hold no styles");
    assert!(text("github-annotations").starts_with("::error title="));
    csv_is_read(&user.path("csv"), count);
    junit_is_read(&user.path("junit"), count);
}

/// Python's `csv` is what most scripts read such files with.
fn csv_is_read(path: &Path, count: usize) {
    if !have(&["python3"]) {
        return;
    }
    let script = "import csv, sys\nrows = list(csv.DictReader(open(sys.argv[1], newline='')))\n\
                  print(len(rows), all(r['id'] and r['purl'].startswith('pkg:') and None not in r for r in rows))";
    assert_eq!(printed(Command::new("python3").args(["-c", script]).arg(path)).trim(), format!("{count} True"));
}

fn junit_is_read(path: &Path, count: usize) {
    if !have(&["xmllint"]) {
        return;
    }
    let schema = xtask::root().join("tests/fixtures/schemas/junit-10.xsd");
    printed(Command::new("xmllint").args(["--nonet", "--noout", "--schema"]).arg(schema).arg(path));
    let query = "count(//testsuite[contains(@name,': vulnerabilities')]/testcase)";
    assert_eq!(printed(Command::new("xmllint").args(["--xpath", query]).arg(path)).trim(), count.to_string());
}

#[test]
fn several_targets_share_a_text_where_that_makes_sense() {
    let Some((user, image)) = start() else { return };
    let other = user.path("tree");
    fs::create_dir(&other).expect("a directory");
    let tree = format!("dir:{}", other.display());
    let all =
        ["csv", "junit", "github-summary", "github-annotations"].map(|f| format!("{f}={}", user.path(f).display()));
    let mut arguments = vec!["scan", &image, &tree, "oci-dir:/nowhere"];
    all.iter().for_each(|output| arguments.extend(["-o", output]));
    user.run(&arguments).exits(2);
    let text = |name: &str| fs::read_to_string(user.path(name)).expect("a file");
    assert_eq!(text("csv").matches("target,id,severity").count(), 1);
    assert_eq!(text("junit").matches("<testsuites ").count(), 1);
    assert!(text("junit").contains("oci-dir:/nowhere: policies"));
    assert!(text("github-summary").contains("NOT SCANNED: oci-dir:/nowhere"));
    assert!(text("github-annotations").contains("could not scan oci-dir:/nowhere"));
    if have(&["xmllint"]) {
        let schema = xtask::root().join("tests/fixtures/schemas/junit-10.xsd");
        printed(Command::new("xmllint").args(["--noout", "--schema"]).arg(schema).arg(user.path("junit")));
    }
    let refused = user.run(&["scan", &image, &tree, "-o", "html=x.html"]).exits(2).stderr;
    assert!(refused.contains("`html` is about one target") && refused.contains("-o html={name}.html"), "{refused}");
    user.run(&["scan", &image, &tree, "-o", &format!("html={}/{{name}}.html", user.path("pages").display())]);
    assert_eq!(fs::read_dir(user.path("pages")).expect("pages").count(), 2);
}

#[test]
fn mistakes_in_templates_and_formats_are_found_before_the_scan() {
    let user = User::new();
    let broken = user.file("broken.j2", "a\n{% for %}\n");
    let said = user.run(&["scan", "oci-dir:/nowhere", "-o", "template", "--template", &broken]).exits(2).stderr;
    assert!(said.contains("line 2") && !said.contains("/nowhere"), "{said}");
    let said = user.run(&["scan", "oci-dir:/nowhere", "-o", "template"]).exits(2).stderr;
    assert!(said.contains("needs a template") && said.contains("hint:"), "{said}");
    let said = user.run(&["scan", "oci-dir:/nowhere", "-o", "serif"]).exits(2).stderr;
    assert!(said.contains("did you mean `sarif`?"), "{said}");
    let said = user.run(&["sbom", "oci-dir:/nowhere", "-o", "sarif"]).exits(2).stderr;
    assert!(said.contains("use json, cyclonedx, spdx"), "{said}");
    let said = user.run(&["scan", "oci-dir:/nowhere", "-o", "json", "-o", "csv"]).exits(2).stderr;
    assert!(said.contains("only one document can go to stdout"), "{said}");
}

/// A page as a real browser leaves it after its scripts ran.
fn browsed(user: &User, page: &Path) -> String {
    let profile = user.path("profile");
    let mut command = Command::new("chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
    command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    command.arg(format!("--user-data-dir={}", profile.display())).args(["--virtual-time-budget=3000", "--dump-dom"]);
    printed(command.arg(format!("file://{}", page.display())))
}

#[test]
fn the_page_filters_and_sorts_in_a_browser() {
    let Some((user, image)) = start() else { return };
    if !have(&["chromium"]) {
        return;
    }
    let page = user.path("page.html");
    user.run(&["scan", &image, "-o", &format!("html={}", page.display())]).exits(1);
    let dom = browsed(&user, &page);
    let rows = dom.matches("<tr data-severity").count();
    assert!(rows > 50 && dom.contains(&format!("{rows} of {rows} shown")), "its own script runs");
    assert!(!dom.contains("<tr data-severity=\"critical\" hidden"));
    // The same page with a user inside, whom the page's policy would not let in.
    let text = fs::read_to_string(&page).expect("a page");
    let user_at_work = "<script>\
        document.getElementById('text').value = 'jquery';\
        document.getElementById('filters').dispatchEvent(new Event('input', { bubbles: true }));\
        document.querySelectorAll('#table th button')[1].click();</script></body>";
    let without_policy: String =
        text.lines().filter(|line| !line.contains("Content-Security-Policy")).collect::<Vec<_>>().join("\n");
    fs::write(&page, without_policy.replace("</body>", user_at_work)).expect("a page");
    let dom = browsed(&user, &page);
    let shown: Vec<&str> =
        dom.split("<tr data-severity").skip(1).filter(|row| !row[..200].contains("hidden")).collect();
    assert!(!shown.is_empty() && shown.len() < rows, "{} of {rows}", shown.len());
    assert!(shown.iter().all(|row| row.contains("jquery")));
    let ids: Vec<&str> = shown.iter().filter_map(|row| row.split("<summary>").nth(1)?.split('<').next()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] <= pair[1]), "sorted by id: {ids:?}");
    fs::write(&page, text.replace("</body>", user_at_work)).expect("a page");
    assert!(browsed(&user, &page).contains(&format!("{rows} of {rows} shown")), "the policy lets no other script run");
}

#[test]
fn manual_pages_and_completions_come_from_the_command() {
    let user = User::new();
    let directory = user.path("man");
    user.run(&["man", &directory.display().to_string()]).exits(0);
    let pages: Vec<_> = fs::read_dir(&directory).expect("pages").flatten().map(|page| page.path()).collect();
    assert!(pages.iter().any(|page| page.ends_with("dogwatch-scan.1")) && pages.len() > 10, "{pages:?}");
    if have(&["mandoc"]) {
        for page in &pages {
            let mut lint = Command::new("mandoc");
            let output = lint.args(["-T", "lint", "-W", "error"]).arg(page).output().expect("mandoc starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        }
        let scan = printed(Command::new("mandoc").args(["-T", "utf8"]).arg(directory.join("dogwatch-scan.1")));
        assert!(scan.contains("fail") && scan.contains("github-annotations"), "{scan}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(user.run(&["completions", shell]).exits(0).stdout.contains("dogwatch"));
    }
    let script = user.file("completions.bash", &user.run(&["completions", "bash"]).stdout);
    let ask = |words: &str, at: usize| {
        let text = format!(
            "source {script}; COMP_WORDS=({words}); COMP_CWORD={at}; _dogwatch dogwatch \"${{COMP_WORDS[{at}]}}\" \"${{COMP_WORDS[{}]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            at - 1
        );
        let mut bash = Command::new("bash");
        printed(bash.args(["--norc", "--noprofile", "-c", &text])).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    if !have(&["bash"]) {
        return skip("no bash");
    }
    assert_eq!(ask("dogwatch adv", 1), ["advisories"]);
    assert_eq!(ask("dogwatch scan --fail", 2), ["--fail-on"]);
    assert!(ask("dogwatch scan -o git", 3).contains(&"gitlab".to_owned()));
}
