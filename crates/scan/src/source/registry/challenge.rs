//! What a registry asks for in `WWW-Authenticate`.
//!
//! Source: RFC 7235, sections 2.1 and 4.1.

use std::collections::HashMap;

use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

/// What a registry asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A token of this server.
    Bearer { realm: String, service: Option<String> },
    /// Name and password.
    Basic,
}

impl Challenge {
    /// The challenge to answer: a token rather than a password when both will do. None when neither will.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let challenges: Vec<_> = values.flat_map(parse).collect();
        let bearer = challenges.iter().find_map(|(scheme, parameters)| {
            let realm = parameters.get("realm").filter(|_| scheme.eq_ignore_ascii_case("bearer"))?;
            Some(Self::Bearer { realm: realm.clone(), service: parameters.get("service").cloned() })
        });
        let basic = || challenges.iter().find(|(scheme, _)| scheme.eq_ignore_ascii_case("basic")).map(|_| Self::Basic);
        bearer.or_else(basic)
    }
}

/// Whether a `WWW-Authenticate` value asks for something that can be answered. Public for fuzzing.
pub fn understands_challenge(value: &[u8]) -> bool {
    let Ok(value) = HeaderValue::from_bytes(value) else { return false };
    Challenge::of(&HeaderMap::from_iter([(WWW_AUTHENTICATE, value)])).is_some()
}

/// Splits `Scheme key="value", key=value, Scheme …`. What cannot be understood is skipped.
fn parse(header: &str) -> Vec<(String, HashMap<String, String>)> {
    let mut challenges: Vec<(String, HashMap<String, String>)> = Vec::new();
    let mut rest = header;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '=', ',']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() && after.is_empty() {
            return challenges;
        }
        match after.strip_prefix('=') {
            None => {
                challenges.push((word.to_owned(), HashMap::new()));
                rest = after;
            }
            Some(after) => {
                let (value, after) = parse_value(after);
                if let Some((_, parameters)) = challenges.last_mut() {
                    parameters.entry(word.to_ascii_lowercase()).or_insert(value);
                }
                rest = after;
            }
        }
    }
}

/// A token or a quoted string, and what follows it.
fn parse_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_at(text.find([',', ' ']).unwrap_or(text.len()));
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[&str], expected: Option<Challenge>) {
        let mut map = HeaderMap::new();
        for value in headers {
            map.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        assert_eq!(Challenge::of(&map), expected, "{headers:?}");
    }

    #[test]
    fn challenges_of_real_registries_are_understood() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.into(), service: service.map(str::to_owned) })
        };
        check(
            &[
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull""#,
            ],
            bearer("https://auth.docker.io/token", Some("registry.docker.io")),
        );
        check(&[r#"Basic realm="x", Bearer realm="https://a/t""#], bearer("https://a/t", None));
        check(&[r#"Basic realm="x""#, "bearer realm=https://a/t , service=s"], bearer("https://a/t", Some("s")));
        check(&[r#"Basic realm="Registry \"1\"""#], Some(Challenge::Basic));
        check(&["Negotiate"], None);
        check(&["Bearer"], None);
        check(&[], None);
    }

    proptest::proptest! {
        #[test]
        fn any_header_ends(text in "\\PC{0,60}|[a =,\"\\\\]{0,40}") {
            let _ = parse(&text);
        }
    }
}
