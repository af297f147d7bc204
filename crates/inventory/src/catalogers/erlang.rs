//! Erlang and Elixir applications: the resource file (`.app`) beside each one's compiled modules, in installations and in
//! releases, and in the archives (`.ez`) that RabbitMQ's plugins come in.
//!
//! Source: Erlang/OTP documentation, "app" and "code" (archives). What belongs to Erlang/OTP or Elixir itself is an `otp`
//! package; everything else is taken to be from Hex, where nearly all of it is from.

use super::zip_directory::{ZipDirectory, ZipError};
use crate::cataloger::{Cataloger, File, FileHead, Scope};
use crate::content::ReadAt;
use crate::fact::{Fact, PackageFact, Parsed, Problem, Requirement};
use model::gap::GapKind;
use model::package::PackageType;
use terms::{Token, Tokens};

mod terms;

/// Applications by their resource file.
pub(super) const CATALOGER: Cataloger = Cataloger { name: "erlang", version: 1, scope: Scope::Installed, wants, parse };

/// Resource files with a thousand modules are below 200 KiB.
const RESOURCE_BYTES_MAX: u64 = 4 << 20;

/// An archive holds one application, or a few.
const APPLICATIONS_MAX: usize = 100;

/// The applications of Erlang/OTP, those of old releases too, and of Elixir.
const OTP: &str = "asn1 common_test compiler cosEvent cosEventDomain cosFileTransfer cosNotification cosProperty cosTime \
    cosTransactions crypto debugger dialyzer diameter edoc eldap erl_docgen erl_interface erts et eunit ftp gs hipe ic inets \
    jinterface kernel megaco mnesia observer odbc orber os_mon ose otp_mibs parsetools percept public_key reltool \
    runtime_tools sasl snmp ssh ssl stdlib syntax_tools test_server tftp tools typer webtool wx xmerl \
    eex elixir ex_unit iex logger mix";

fn wants(file: &FileHead<'_>) -> bool {
    is_resource(file.path) || (file.path.ends_with(".ez") && file.head.starts_with(b"PK"))
}

/// `ebin/NAME.app`, which is where the code server looks.
fn is_resource(path: &str) -> bool {
    let Some((directory, _)) = path.strip_suffix(".app").and_then(|path| path.rsplit_once('/')) else { return false };
    directory == "ebin" || directory.ends_with("/ebin")
}

fn parse(file: &File<'_>) -> Parsed {
    if !is_resource(file.path) {
        return parse_archive(file.content);
    }
    match file.bytes(RESOURCE_BYTES_MAX) {
        Ok(bytes) => {
            let mut parsed = Parsed::default();
            read_resource(&bytes, None, &mut parsed);
            parsed
        }
        Err(problem) => problem,
    }
}

fn parse_archive(content: &dyn ReadAt) -> Parsed {
    let mut parsed = Parsed::default();
    if let Err(error) = read_archive(content, &mut parsed) {
        parsed.problems.push(Problem { kind: error.kind(), detail: error.to_string(), inside: None });
    }
    parsed
}

fn read_archive(content: &dyn ReadAt, parsed: &mut Parsed) -> Result<(), ZipError> {
    let archive = ZipDirectory::open(content)?;
    let mut wanted = Vec::new();
    archive.visit(|name, member| {
        if let Some(name) = std::str::from_utf8(name).ok().filter(|name| is_resource(name)) {
            wanted.push((name.to_owned(), member));
        }
        wanted.len() <= APPLICATIONS_MAX
    })?;
    if wanted.len() > APPLICATIONS_MAX {
        wanted.truncate(APPLICATIONS_MAX);
        let detail = format!("it holds more than {APPLICATIONS_MAX} applications");
        parsed.problems.push(Problem { kind: GapKind::LimitExceeded, detail, inside: None });
    }
    for (name, member) in wanted {
        let bytes = archive.beginning(&member, RESOURCE_BYTES_MAX);
        match bytes {
            Ok(bytes) => read_resource(&bytes, Some(name), parsed),
            Err(error) => {
                parsed.problems.push(Problem { kind: error.kind(), detail: error.to_string(), inside: Some(name) });
            }
        }
    }
    Ok(())
}

fn read_resource(bytes: &[u8], inside: Option<String>, parsed: &mut Parsed) {
    let problem = match application(bytes) {
        Some((package, whole)) => {
            parsed.facts.push(Fact::Package(PackageFact { inside: inside.clone(), ..package }));
            if whole {
                return;
            }
            "the resource file is cut off"
        }
        None => "not an application's resource file",
    };
    parsed.problems.push(Problem { kind: GapKind::Malformed, detail: problem.to_owned(), inside });
}

/// Reads `{application, NAME, [{vsn, "1.0"}, {applications, [kernel]}, …]}`; and says whether every bracket is closed.
fn application(bytes: &[u8]) -> Option<(PackageFact, bool)> {
    let text = String::from_utf8_lossy(bytes);
    let mut tokens = Tokens::of(&text);
    let start = [Token::Punctuation('{'), Token::Atom("application"), Token::Punctuation(',')];
    if start.iter().any(|expected| tokens.next().as_ref() != Some(expected)) {
        return None;
    }
    let Some(Token::Atom(name)) = tokens.next() else { return None };
    let kind =
        if OTP.split(' ').any(|it| it == name) { PackageType::Other("otp".to_owned()) } else { PackageType::Hex };
    let mut package = PackageFact::new(kind, name, "");
    // The properties are pairs in a list in the outer tuple.
    let mut depth = 1_usize;
    let mut property = None;
    while let Some(token) = tokens.next() {
        match (token, property) {
            (Token::Punctuation('{'), _) if depth == 2 => {
                depth += 1;
                property = if let Some(Token::Atom(name)) = tokens.next() { Some(name) } else { None };
            }
            (Token::Punctuation('{' | '['), _) => depth += 1,
            (Token::Punctuation('}' | ']'), _) => depth = depth.saturating_sub(1),
            (Token::Text(vsn), Some("vsn")) if depth == 3 => package.version = vsn.to_owned(),
            (Token::Text(license), Some("licenses")) if depth == 4 => package.licenses.push(license.to_owned()),
            (Token::Atom(name), Some("applications" | "included_applications")) if depth == 4 => {
                package.requires.push(Requirement { name: name.to_owned(), version: None });
            }
            _ => {}
        }
    }
    package.requires.sort();
    package.requires.dedup();
    Some((package, depth == 0))
}
