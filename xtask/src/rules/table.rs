//! The tables: a section for each group of rules, a row for each rule.

use std::fmt::Write as _;

use super::{
    Coverage, Subject,
    sources::Test,
    spec::{self, Group, Rule},
};

/// From the tables' folder to the root of the repository.
const ROOT: &str = "../..";

pub(super) fn render(coverage: &Coverage, subject: Subject) -> String {
    let mut text = match subject {
        Subject::Rules => "\
# Rules and their tests

Written by `cargo xtask conformance --rules`, which `--check` compares with what is here. A test covers a rule
when its name, or a comment at it or in it, names the rule, alone or in a range. Why some rules have no test is
listed in [untestable.txt](untestable.txt). The cases of the catalogue are in [cases.md](cases.md).

",
        Subject::Cases => "\
# Cases of the catalogue and their tests

Written by `cargo xtask conformance --rules`, as [rules.md](rules.md) is. A test covers a case when a comment at
it or in it names the case.

",
    }
    .to_owned();
    overview(coverage, subject, &mut text);
    for group in coverage.groups(subject) {
        section(coverage, group, &mut text);
    }
    text
}

fn overview(coverage: &Coverage, subject: Subject, text: &mut String) {
    let _ = writeln!(text, "{}.\n", coverage.counts(subject));
    text.push_str("| Group | With tests | No test can cover | Without |\n|---|---|---|---|\n");
    for group in coverage.groups(subject) {
        let count = |has: &dyn Fn(&str) -> bool| {
            let rules = group.rules.iter();
            rules.filter(|rule| has(&rule.number)).count()
        };
        let _ = writeln!(
            text,
            "| [{}](#{}) | {} | {} | {} |",
            group.name,
            group.name.to_lowercase(),
            count(&|number| coverage.tests.contains_key(number)),
            count(&|number| coverage.untestable.contains_key(number)),
            coverage.missing(group).len(),
        );
    }
}

fn section(coverage: &Coverage, group: &Group, text: &mut String) {
    let Group {
        name, page, rules, ..
    } = group;
    let folder = spec::FOLDER;
    let _ = write!(
        text,
        "\n## {name}\n\nOf [{page}]({ROOT}/{folder}/{page}).\n\n| Rule | Says | Tests |\n|---|---|---|\n"
    );
    for Rule { number, says } in rules {
        let tests = match (coverage.tests.get(number), coverage.untestable.get(number)) {
            (Some(tests), _) => links(tests),
            (None, Some(why)) => format!("none: {}", cell(why)),
            (None, None) => "**none**".to_owned(),
        };
        let _ = writeln!(text, "| {number} | {} | {tests} |", cell(says));
    }
}

/// The tests, each after the file that it is in.
fn links(tests: &[Test]) -> String {
    let mut files: Vec<(&str, Vec<String>)> = Vec::new();
    for test in tests {
        let name = format!("`{}`", test.name);
        match files.last_mut() {
            Some((path, names)) if *path == test.path => names.push(name),
            _ => files.push((&test.path, vec![name])),
        }
    }
    let file = |(path, names): &(&str, Vec<String>)| {
        format!("[{}]({ROOT}/{path}): {}", shown(path), names.join(", "))
    };
    files.iter().map(file).collect::<Vec<_>>().join("; ")
}

/// `rpc-core calls` for `crates/rpc-core/tests/it/calls.rs`.
fn shown(path: &str) -> String {
    let path = path.trim_start_matches("crates/").trim_end_matches(".rs");
    let (package, file) = path.split_once('/').unwrap_or((path, ""));
    let file = ["tests/it/", "tests/", "src/"]
        .iter()
        .find_map(|folder| file.strip_prefix(folder))
        .unwrap_or(file);
    format!("{package} {file}")
}

/// Text that stays within its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{mentions::Mentions, spec::Spec};

    #[test]
    fn a_rule_has_tests_or_a_reason_or_none() {
        let spec = Spec::of(&[(
            "connection.md",
            "- **C-HS-1** [W] a | b\n- **C-HS-2** [W] c\n- **C-HS-3** [W] d\n",
        )]);
        let test = |path: &str, name: &str| Test {
            name: name.into(),
            path: path.into(),
            comments: "C-HS-1".into(),
            body: String::new(),
        };
        let tests = [
            test("crates/rpc-core/tests/it/calls.rs", "one"),
            test("crates/rpc-core/tests/it/calls.rs", "two"),
            test("crates/rpc-wire/src/frame.rs", "three"),
        ];
        assert!(Mentions::of(&spec).in_test(&tests[0]).contains("C-HS-1"));
        let coverage = Coverage {
            spec,
            tests: [("C-HS-1".into(), tests.to_vec())].into(),
            untestable: [("C-HS-2".into(), "no clock".into())].into(),
        };
        let table = render(&coverage, Subject::Rules);
        let rows: Vec<_> = table
            .lines()
            .filter(|line| line.starts_with("| C-HS"))
            .collect();
        assert_eq!(
            rows,
            [
                "| C-HS-1 | a \\| b | \
                 [rpc-core calls](../../crates/rpc-core/tests/it/calls.rs): `one`, `two`; \
                 [rpc-wire frame](../../crates/rpc-wire/src/frame.rs): `three` |",
                "| C-HS-2 | c | none: no clock |",
                "| C-HS-3 | d | **none** |",
            ]
        );
        assert!(
            table.contains("3 rules: 1 with tests, 1 that no test can cover, 1 without.\n"),
            "{table}"
        );
        assert!(table.contains("| [C-HS](#c-hs) | 1 | 1 | 1 |"), "{table}");
        assert!(!render(&coverage, Subject::Cases).contains("C-HS"));
    }
}
