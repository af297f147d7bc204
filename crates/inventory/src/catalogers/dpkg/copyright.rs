//! License names in a Debian `copyright` file.
//!
//! The machine-readable form ("DEP-5") names them in fields. Older files are prose that points to the texts in
//! `/usr/share/common-licenses`; those pointers are taken, and the prose is not interpreted.

/// How many names are kept of one file. Far more than anyone reads of one package.
const LICENSES_MAX: usize = 64;
/// What is longer is a license's text, not its name.
const NAME_BYTES_MAX: usize = 200;

const COMMON_LICENSES: &str = "/usr/share/common-licenses/";

/// The names in order of their first mention, each once.
pub(super) fn licenses(text: &str) -> Vec<String> {
    let machine_readable = text.trim_start_matches(['\u{feff}', '\n', '\r']).starts_with("Format:");
    let mut names = Vec::new();
    let mut add = |name: &str| {
        let wanted = !name.is_empty() && name.len() <= NAME_BYTES_MAX && names.len() < LICENSES_MAX;
        if wanted && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    };
    if machine_readable {
        text.lines().filter_map(|line| line.strip_prefix("License:")).for_each(|name| add(name.trim()));
    } else {
        text.split(COMMON_LICENSES).skip(1).for_each(|rest| add(pointer(rest)));
    }
    names
}

/// The file name at the beginning of `rest`, without the punctuation of the sentence around it.
fn pointer(rest: &str) -> &str {
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'))).unwrap_or(rest.len());
    rest[..end].trim_end_matches(['.', '-'])
}
