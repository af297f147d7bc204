//! `Field: value` texts, in which a line that begins with white space continues the value before it: R's `DESCRIPTION`
//! and GHC's package registrations.

/// Every field with its value; the lines of a continued value are joined with single spaces.
pub(super) fn fields(text: &str) -> impl Iterator<Item = (&str, String)> {
    let mut lines = text.lines().peekable();
    std::iter::from_fn(move || {
        loop {
            let line = lines.next()?;
            let Some((field, value)) = line.split_once(':').filter(|_| !line.starts_with([' ', '\t'])) else {
                continue;
            };
            let mut value = value.trim().to_owned();
            while let Some(more) = lines.next_if(|next| next.starts_with([' ', '\t'])) {
                if !value.is_empty() {
                    value.push(' ');
                }
                value.push_str(more.trim());
            }
            return Some((field.trim(), value));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::fields;

    #[test]
    fn a_value_goes_on_where_lines_are_indented() {
        let text = "Package: a\nnoise\nDepends:\n    b (>= 1),\n\tc\n  \nEmpty:\nTitle: a: b\n";
        let all: Vec<_> = fields(text).collect();
        let expected = [("Package", "a"), ("Depends", "b (>= 1), c "), ("Empty", ""), ("Title", "a: b")];
        assert_eq!(all, expected.map(|(field, value)| (field, value.to_owned())));
    }
}
