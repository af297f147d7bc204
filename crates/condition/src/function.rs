//! The functions of a condition.

/// A function that conditions may call, as the reference page shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// How it is written.
    pub example: &'static str,
    /// One line of doc.
    pub doc: &'static str,
}

/// Every function there is.
pub const FUNCTIONS: &[Function] = &[
    Function { name: "has", example: "has(finding.epss)", doc: "Whether an optional fact or a label is present." },
    Function { name: "size", example: "size(package.licenses)", doc: "The length of a list, map or text." },
    Function { name: "startsWith", example: "image.name.startsWith(\"prod/\")", doc: "Whether a text begins so." },
    Function { name: "endsWith", example: "package.name.endsWith(\"-dev\")", doc: "Whether a text ends so." },
    Function { name: "contains", example: "image.name.contains(\"legacy\")", doc: "Whether a text holds another." },
    Function {
        name: "matches",
        example: "package.version.matches(\"^0\\\\.\")",
        doc: "Whether a regular expression is found in a text. The expression is a literal, compiled when loaded.",
    },
    Function {
        name: "exists",
        example: "package.licenses.exists(l, l.startsWith(\"AGPL\"))",
        doc: "Whether something holds for at least one element of a list.",
    },
    Function {
        name: "all",
        example: "image.exposed_ports.all(p, p.endsWith(\"/tcp\"))",
        doc: "Whether something holds for every element of a list.",
    },
];
