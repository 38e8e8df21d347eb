//! Which rules of the specification and which cases of its catalogue have a test: the generated
//! tables, and what they leave open.
//!
//! A rule counts as covered when a test function names it: in its name, in the comment above it,
//! or inside it. Nothing that a library's documentation says counts.

mod mentions;
mod sources;
mod spec;
mod table;

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result, bail};

use crate::cargo::root;
use mentions::Mentions;
use sources::Test;
use spec::{Group, Rule, Spec};

/// Where the generated tables are, and what they are made from beside specification and tests.
const FOLDER: &str = "docs/conformance";

/// What no test can cover, and why.
const UNTESTABLE: &str = "docs/conformance/untestable.txt";

/// What a table is about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Subject {
    Rules,
    Cases,
}

impl Subject {
    const ALL: [Self; 2] = [Self::Rules, Self::Cases];

    fn name(self) -> &'static str {
        match self {
            Self::Rules => "rules",
            Self::Cases => "cases",
        }
    }
}

/// The specification, the tests, and what connects them.
struct Coverage {
    spec: Spec,
    /// By the rule's number.
    tests: BTreeMap<String, Vec<Test>>,
    /// Why a rule has none, by its number.
    untestable: BTreeMap<String, String>,
}

/// Writes the tables, or with `check` compares them with those that are there. Prints what has no
/// test.
///
/// # Errors
/// A file cannot be read, the list of untestable rules is wrong, or a table is not up to date.
pub(crate) fn run(check: bool) -> Result<()> {
    let coverage = Coverage::read()?;
    for subject in Subject::ALL {
        let table = table::render(&coverage, subject);
        let path = format!("{FOLDER}/{}.md", subject.name());
        if !check {
            fs::write(root().join(&path), table)
                .with_context(|| format!("could not write {path}"))?;
            coverage.print_missing(subject);
        } else if fs::read_to_string(root().join(&path)).ok() != Some(table) {
            bail!("{path} is not up to date: run `cargo xtask conformance --rules`");
        }
    }
    for subject in Subject::ALL {
        println!("{}", coverage.counts(subject));
    }
    Ok(())
}

impl Coverage {
    fn read() -> Result<Self> {
        let spec = Spec::read()?;
        let untestable = untestable(&spec)?;
        let mentions = Mentions::of(&spec);
        let mut tests = BTreeMap::<_, Vec<_>>::new();
        for test in sources::tests()? {
            for number in mentions.in_test(&test) {
                tests.entry(number).or_default().push(test.clone());
            }
        }
        for (number, why) in &untestable {
            if let Some([test, ..]) = tests.get(number).map(Vec::as_slice) {
                bail!(
                    "{UNTESTABLE} says of {number}: {why}; but {} in {} tests it",
                    test.name,
                    test.path
                );
            }
        }
        Ok(Self {
            spec,
            tests,
            untestable,
        })
    }

    fn groups(&self, subject: Subject) -> impl Iterator<Item = &Group> {
        self.spec
            .groups
            .iter()
            .filter(move |group| group.subject == subject)
    }

    /// The rules of a group without a test that could have one.
    fn missing<'g>(&self, group: &'g Group) -> Vec<&'g Rule> {
        let is_missing = |rule: &&Rule| {
            !self.tests.contains_key(&rule.number) && !self.untestable.contains_key(&rule.number)
        };
        group.rules.iter().filter(is_missing).collect()
    }

    fn print_missing(&self, subject: Subject) {
        for group in self.groups(subject) {
            let missing = self.missing(group);
            if !missing.is_empty() {
                println!("without a test: {}", ranges(&missing));
            }
        }
    }

    fn counts(&self, subject: Subject) -> String {
        let groups: Vec<_> = self.groups(subject).collect();
        let all: usize = groups.iter().map(|group| group.rules.len()).sum();
        let missing: usize = groups.iter().map(|group| self.missing(group).len()).sum();
        let rules = groups.iter().flat_map(|group| &group.rules);
        let untestable = rules
            .filter(|rule| self.untestable.contains_key(&rule.number))
            .count();
        format!(
            "{all} {}: {} with tests, {untestable} that no test can cover, {missing} without",
            subject.name(),
            all - missing - untestable,
        )
    }
}

/// Rules of one group, with runs of neighbours as ranges: `C-HS-1 to 4, 9`.
fn ranges(rules: &[&Rule]) -> String {
    let mut runs: Vec<(&Rule, &Rule)> = Vec::new();
    for rule in rules {
        match runs.last_mut() {
            Some((_, last)) if last.digits() + 1 == rule.digits() => *last = rule,
            _ => runs.push((rule, rule)),
        }
    }
    let mut text = String::new();
    for (first, last) in runs {
        match text.is_empty() {
            true => text.push_str(&first.number),
            false => text.push_str(&format!(", {}", first.digits())),
        }
        if first != last {
            text.push_str(&format!(" to {}", last.digits()));
        }
    }
    text
}

/// The list of rules that no test can cover.
fn untestable(spec: &Spec) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(root().join(UNTESTABLE))
        .with_context(|| format!("could not read {UNTESTABLE}"))?;
    parse_untestable(&text, spec)
}

fn parse_untestable(text: &str, spec: &Spec) -> Result<BTreeMap<String, String>> {
    let mut untestable = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{UNTESTABLE}:{}", index + 1);
        let Some((numbers, why)) = line.split_once(": ") else {
            bail!("{place}: a line is `RULE: why`");
        };
        let numbers = Mentions::of(spec).in_text(numbers);
        if numbers.is_empty() {
            bail!("{place}: names no rule of the specification");
        }
        for number in numbers {
            if untestable.insert(number.clone(), why.to_owned()).is_some() {
                bail!("{place}: {number} is listed twice");
            }
        }
    }
    Ok(untestable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_printed_as_ranges() {
        let rules: Vec<_> = [1, 2, 3, 5, 8, 9]
            .map(|digits| Rule {
                number: format!("C-HB-{digits}"),
                says: String::new(),
            })
            .into();
        let rules: Vec<_> = rules.iter().collect();
        assert_eq!(ranges(&rules), "C-HB-1 to 3, 5, 8 to 9");
        assert_eq!(ranges(&rules[3..4]), "C-HB-5");
    }

    #[test]
    fn the_untestable_are_rules_each_with_its_reason() {
        let spec = Spec::of(&[("connection.md", "- **C-HB-1** [W] a\n- **C-HB-2** [W] b\n")]);
        let read = |text: &str| parse_untestable(text, &spec).map_err(|error| error.to_string());
        let expected = [("C-HB-1", "clock"), ("C-HB-2", "clock")];
        assert_eq!(
            read("# Why.\n\nC-HB-1 to C-HB-2: clock\n"),
            Ok(expected
                .map(|(number, why)| (number.to_owned(), why.to_owned()))
                .into())
        );
        let error = |text: &str| read(text).unwrap_err();
        assert_eq!(
            error("C-HB-1\n"),
            "docs/conformance/untestable.txt:1: a line is `RULE: why`"
        );
        assert_eq!(
            error("\nC-HB-9: clock\n"),
            "docs/conformance/untestable.txt:2: names no rule of the specification"
        );
        assert_eq!(
            error("C-HB-1: a\nC-HB-1: b\n"),
            "docs/conformance/untestable.txt:2: C-HB-1 is listed twice"
        );
    }
}
