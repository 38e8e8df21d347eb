//! The rules, decisions and cases that the pages of the specification define.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result};

use super::Subject;
use crate::cargo::root;

/// Where the pages are.
pub(super) const FOLDER: &str = "docs/spec";

/// The pages with rules, in the order of the specification, and the two with other numbers.
const PAGES: [&str; 4] = ["connection.md", "rpcs.md", "versioned.md", "durable.md"];
const DECISIONS: &str = "decisions.md";
const CATALOGUE: &str = "test_catalogue.md";

/// Everything that has a number.
#[derive(Debug, Default)]
pub(super) struct Spec {
    /// In the order in which they are defined.
    pub(super) groups: Vec<Group>,
}

/// The rules of one page whose numbers begin alike.
#[derive(Debug, PartialEq)]
pub(super) struct Group {
    /// `C-HS`, `T-S`, `decisions`, `ZC` and the like.
    pub(super) name: String,
    pub(super) subject: Subject,
    pub(super) page: &'static str,
    pub(super) rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    /// `C-HS-1`, `decision 7`, `ZC26`.
    pub(super) number: String,
    /// How it begins.
    pub(super) says: String,
}

impl Rule {
    pub(super) fn digits(&self) -> u32 {
        digits(&self.number).unwrap_or_default()
    }
}

impl Spec {
    pub(super) fn read() -> Result<Self> {
        let pages = PAGES.into_iter().chain([DECISIONS, CATALOGUE]);
        let read = |page: &'static str| {
            let path = root().join(FOLDER).join(page);
            let text = fs::read_to_string(&path);
            let text = text.with_context(|| format!("could not read {}", path.display()))?;
            Ok((page, text))
        };
        let pages = pages.map(read).collect::<Result<Vec<_>>>()?;
        let pages: Vec<_> = pages
            .iter()
            .map(|(page, text)| (*page, text.as_str()))
            .collect();
        Ok(Self::of(&pages))
    }

    /// What pages with these names and texts define.
    pub(super) fn of(pages: &[(&'static str, &str)]) -> Self {
        let mut spec = Self::default();
        let mut known = BTreeSet::new();
        for (page, text) in pages {
            for (index, line) in text.lines().enumerate() {
                let Some((number, says)) = defined(page, line) else {
                    continue;
                };
                if known.insert(number.clone()) {
                    let more = text.lines().skip(index + 1);
                    spec.add(
                        page,
                        Rule {
                            number,
                            says: beginning(says, more),
                        },
                    );
                }
            }
        }
        spec
    }

    fn add(&mut self, page: &'static str, rule: Rule) {
        let name = match page {
            DECISIONS => "decisions".to_owned(),
            _ => series(&rule.number).trim_end_matches('-').to_owned(),
        };
        // A series of cases may be called as one of rules.
        let is_its = |group: &&mut Group| group.name == name && group.page == page;
        match self.groups.iter_mut().find(is_its) {
            Some(group) => group.rules.push(rule),
            None => self.groups.push(Group {
                name,
                subject: match page {
                    CATALOGUE => Subject::Cases,
                    _ => Subject::Rules,
                },
                page,
                rules: vec![rule],
            }),
        }
    }
}

/// A number without its digits, and the letter that may follow them.
pub(super) fn series(number: &str) -> &str {
    number
        .trim_end_matches(|c: char| c.is_ascii_lowercase())
        .trim_end_matches(|c: char| c.is_ascii_digit())
}

/// The digits of a number.
pub(super) fn digits(number: &str) -> Option<u32> {
    let digits = number.get(series(number).len()..)?;
    digits
        .trim_end_matches(|c: char| c.is_ascii_lowercase())
        .parse()
        .ok()
}

/// The number that a line defines, and what follows it.
fn defined<'a>(page: &str, line: &'a str) -> Option<(String, &'a str)> {
    // Rules are points of a list or rows of a table, cases are paragraphs or rows.
    let (cell, says) = match line.trim_start().strip_prefix("| ") {
        Some(row) => row.split_once(" | ")?,
        None => {
            let line = line.trim_start();
            let point = line
                .strip_prefix("- **")
                .or_else(|| line.strip_prefix("**"))?;
            point.split_once("**")?
        }
    };
    let number = cell.trim_matches('*').trim();
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    match page {
        DECISIONS if is_number(number) => Some((format!("decision {number}"), says)),
        CATALOGUE if is_case(number) && cell.starts_with(|c: char| c != ' ') => {
            Some((number.to_owned(), says))
        }
        DECISIONS | CATALOGUE => None,
        _ => is_rule(number).then(|| (number.to_owned(), says)),
    }
}

/// A letter of the five kinds, hyphens, digits at the end.
fn is_rule(word: &str) -> bool {
    let mut parts = word.split('-');
    let kind = parts.next().unwrap_or_default();
    let rest: Vec<_> = parts.collect();
    let is_part = |part: &&str| {
        let mut bytes = part.bytes();
        !part.is_empty() && bytes.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    ["C", "R", "T", "V", "D", "P"].contains(&kind)
        && !rest.is_empty()
        && rest.iter().all(is_part)
        && word.ends_with(|c: char| c.is_ascii_digit())
}

/// One letter, or Z and another, then digits, and a small letter where a case has several.
fn is_case(word: &str) -> bool {
    let is_series = match series(word).as_bytes() {
        [letter] => letter.is_ascii_uppercase(),
        [b'Z', letter] => letter.is_ascii_uppercase(),
        _ => false,
    };
    let is_single = !word.ends_with(|c: char| c.is_ascii_lowercase())
        || word[..word.len() - 1].ends_with(|c: char| c.is_ascii_digit());
    is_series && is_single && digits(word).is_some()
}

/// As much of a rule as fits a line of the table: to the end of its paragraph or row at most.
fn beginning<'a>(says: &'a str, more: impl Iterator<Item = &'a str>) -> String {
    /// Characters.
    const LONGEST: usize = 72;
    let is_row = says.trim_end().ends_with('|');
    let first_cell = says.split(" | ").find(|cell| !cell.trim().is_empty());
    let mut text = match is_row {
        true => first_cell
            .unwrap_or_default()
            .trim_end_matches(" |")
            .to_owned(),
        false => says.to_owned(),
    };
    if !is_row {
        let ends = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with("- ");
        for line in more.take_while(|line| !ends(line)) {
            text.push(' ');
            text.push_str(line.trim());
        }
    }
    let mut text = text.trim();
    // How binding it is, which the page explains.
    for mark in ["[W]", "[A]", "[Q]"] {
        text = text.strip_prefix(mark).unwrap_or(text).trim_start();
    }
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => {
            let cut = &text[..end];
            let end = cut.rfind(' ').unwrap_or(end);
            format!("{} …", cut[..end].trim_end_matches([',', ';', ':', '.']))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(page: &'static str, text: &str) -> Vec<String> {
        let spec = Spec::of(&[(page, text)]);
        let rules = spec.groups.iter().flat_map(|group| &group.rules);
        rules.map(|rule| rule.number.clone()).collect()
    }

    #[test]
    fn rules_are_points_and_rows() {
        let text = "- **C-HS-1** [W] Each side.\n  - **T-30** [A] x (C-HS-2)\n\
                    | C-HF-3 | late | *Timeout* |\n| T-S15 | y | z |\n\
                    - **Bold** text\n| # | C-HF-4 |\n**C-9** y: see C-HS-9\n| Rule | x |\n";
        assert_eq!(
            numbers("connection.md", text),
            ["C-HS-1", "T-30", "C-HF-3", "T-S15", "C-9"]
        );
    }

    #[test]
    fn a_rule_is_defined_once() {
        let text = "- **R-ER-1** [A] first\n- **R-ER-1** again\n";
        assert_eq!(numbers("rpcs.md", text), ["R-ER-1"]);
    }

    #[test]
    fn decisions_and_cases_have_pages_of_their_own() {
        let decisions =
            "| # | Question | Ours |\n|---|---|---|\n| 1 | what | that |\n- **R-ER-2**, text";
        assert_eq!(numbers("decisions.md", decisions), ["decision 1"]);
        let cases = "**A1** *Digests.* The\n| **C2** | x | y |\n**Fixtures.**\n| A | group |\n**ZC12** z\n| **J10a** | w | v |";
        assert_eq!(
            numbers("test_catalogue.md", cases),
            ["A1", "C2", "ZC12", "J10a"]
        );
        assert_eq!(numbers("rpcs.md", cases), [] as [&str; 0]);
    }

    #[test]
    fn numbers_that_begin_alike_are_a_group() {
        let spec = Spec::of(&[
            (
                "connection.md",
                "- **C-HS-1** [W] a\n- **C-HB-1** [A] b\n- **C-HS-2** [A] c\n",
            ),
            ("test_catalogue.md", "**ZC1** d\n"),
        ]);
        let groups = spec
            .groups
            .iter()
            .map(|group| (group.name.as_str(), group.rules.len()));
        assert_eq!(
            groups.collect::<Vec<_>>(),
            [("C-HS", 2), ("C-HB", 1), ("ZC", 1)]
        );
    }

    #[test]
    fn a_rule_is_shown_by_its_beginning() {
        let says = |text: &str| {
            Spec::of(&[("rpcs.md", text)]).groups[0].rules[0]
                .says
                .clone()
        };
        assert_eq!(
            says("- **R-PL-1** [W] Short\n  and more.\n- **R-PL-2** x"),
            "Short and more."
        );
        assert_eq!(
            says("| T-S1 | plain RPC | R Query | b |\n| T-S2 | x |"),
            "plain RPC"
        );
        let long = says(
            "- **R-PL-1** [A] one two three four five six seven eight nine ten, \
                         eleven twelve thirteen fourteen",
        );
        assert_eq!(
            long,
            "one two three four five six seven eight nine ten, eleven twelve …"
        );
    }
}
