//! The page that maps OCaml's interface to ours names nothing that does not exist.
//!
//! Reads declarations as text, as its parent does: a name counts when any source file of a library
//! declares it.

use std::collections::BTreeSet;

/// The page, from the root of the workspace.
pub(super) const PAGE: &str = "docs/from-ocaml.md";

/// Names of the language, of other crates, and of crates.
const NOT_OURS: &[&str] = &[
    "Display",
    "R",
    "Result",
    "Stream",
    "durable_rpc",
    "match",
    "rpc",
    "rpc_core",
    "rpc_versioned",
    "rpc_wire",
];

/// What begins a declaration.
const KEYWORDS: &[&str] = &[
    "as", "const", "enum", "fn", "mod", "static", "struct", "trait", "type",
];

/// Adds the names that a source file declares: items, methods, and what looks like a variant.
pub(super) fn declared(source: &str, names: &mut BTreeSet<String>) {
    for line in source.lines() {
        let words: Vec<_> = identifiers(line).collect();
        let after_keyword = words.windows(2).filter(|pair| KEYWORDS.contains(&pair[0]));
        names.extend(after_keyword.map(|pair| pair[1].to_owned()));
        if let Some(variant) = variant(line) {
            names.insert(variant.to_owned());
        }
    }
}

/// The variant that a line of an enum declares: `Name,`, `Name(…` or `Name {`.
fn variant(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let end = line.find(|c: char| !is_part(c))?;
    let (name, rest) = line.split_at(end);
    let is_variant = name.starts_with(|c: char| c.is_ascii_uppercase())
        && (rest.starts_with([',', '(']) || rest.starts_with(" {"));
    is_variant.then_some(name)
}

/// Names in the second column of the page's tables that nothing declares, each with its line.
pub(super) fn unknown<'a>(page: &'a str, names: &BTreeSet<String>) -> Vec<(usize, &'a str)> {
    let mut unknown = Vec::new();
    for (number, line) in (1..).zip(page.lines()) {
        let Some(ours) = line
            .strip_prefix('|')
            .and_then(|row| row.split(" | ").nth(1))
        else {
            continue;
        };
        let quoted = ours.split('`').skip(1).step_by(2);
        let missing = quoted
            .flat_map(identifiers)
            .filter(|name| !NOT_OURS.contains(name) && !names.contains(*name));
        unknown.extend(missing.map(|name| (number, name)));
    }
    unknown
}

fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !is_part(c))
        .filter(|word| !word.is_empty())
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nothing_declares_are_told_with_their_line() {
        let source = "pub struct Pipe<U> {\n    pub const fn next(&self) {\nenum Why {\n    Lost(u8),\n    Ended,\n";
        let mut names = BTreeSet::new();
        declared(source, &mut names);
        let page = "| OCaml | Here | Differs |\n|---|---|---|\n\
                    | `read` | `Pipe::next`, `Why::Lost` | `Nothing` |\n\
                    | `stop` | `Pipe::stop`, `Why::Ended` | |\n\
                    text with `Anything`\n";
        assert_eq!(unknown(page, &names), [(4, "stop")]);
    }
}
