//! Patterns for names: `*` stands for any characters, `?` for one.

/// Whether the whole of `text` fits `pattern`. Worst case the product of both lengths, without recursion.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stood and how far the text was: on a mismatch it swallows one byte more.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, swallowed)) => {
                    star = Some((at, swallowed + 1));
                    (p, t) = (at + 1, swallowed + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, text, expected) in [
            ("shop", "shop", true),
            ("shop", "shops", false),
            ("prod/*", "prod/shop:1.4", true),
            ("*/shop:*", "registry.example/team/shop:1.4", true),
            ("*shop", "shopshop", true),
            ("sh?p", "ship", true),
            ("", "", true),
            ("*", "", true),
            ("?", "", false),
            ("pkg:npm/%40babel/*", "pkg:npm/%40babel/core@7.0.0", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
        assert!(!fits(&"*a".repeat(500), &"b".repeat(100_000)));
    }
}
