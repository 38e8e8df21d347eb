//! Numbers of rules in text: alone, as a range, or spelled as part of a function's name.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    sources::Test,
    spec::{Spec, digits, series},
};

/// Knows which numbers there are.
pub(super) struct Mentions {
    /// The numbers of each series, with their digits.
    series: BTreeMap<String, Vec<(u32, String)>>,
    /// Rules by their spelling in a name: `c_hs_1`.
    spelled: BTreeMap<String, String>,
}

/// A word of a text, and what stands between it and the word before.
struct Word<'a> {
    text: &'a str,
    before: &'a str,
}

impl Mentions {
    pub(super) fn of(spec: &Spec) -> Self {
        let mut mentions = Self {
            series: BTreeMap::new(),
            spelled: BTreeMap::new(),
        };
        for rule in spec.groups.iter().flat_map(|group| &group.rules) {
            let series = series(&rule.number).to_owned();
            let numbers = mentions.series.entry(series).or_default();
            numbers.push((rule.digits(), rule.number.clone()));
            if rule.number.contains('-') {
                let spelled = rule.number.to_lowercase().replace('-', "_");
                mentions.spelled.insert(spelled, rule.number.clone());
            }
        }
        mentions
    }

    /// What a test names: rules and decisions anywhere in it, cases in its comments. In code a
    /// word such as `V1` is something else.
    pub(super) fn in_test(&self, test: &Test) -> BTreeSet<String> {
        let mut found = self.in_text(&test.comments);
        let in_body = self.in_text(&test.body);
        found.extend(in_body.into_iter().filter(|number| !is_case(number)));
        let name = format!("_{}_", test.name);
        for (spelled, number) in &self.spelled {
            if name.contains(&format!("_{spelled}_")) {
                found.insert(number.clone());
            }
        }
        found
    }

    /// The numbers in a text; those in backquotes are code.
    pub(super) fn in_text(&self, text: &str) -> BTreeSet<String> {
        let prose: Vec<_> = text.split('`').step_by(2).collect();
        let prose = prose.join("`");
        let words = words(&prose);
        let mut found = BTreeSet::new();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            at += 1;
            match word.text.to_lowercase().as_str() {
                "decision" | "decisions" => at = self.decisions(&words, at, &mut found),
                _ => at = self.number(&words, at, &mut found),
            }
        }
        found
    }

    /// Takes the word before `at`, and the end of a range if one follows. Returns what is next.
    fn number(&self, words: &[Word<'_>], at: usize, found: &mut BTreeSet<String>) -> usize {
        let word = words[at - 1].text;
        let Some((series, first)) = self.split(word) else {
            return at;
        };
        match self.range_end(words, at, series) {
            Some((last, next)) => {
                self.insert(series, first, last, found);
                return next;
            }
            // One of several with the same digits.
            None if word.ends_with(|c: char| c.is_ascii_lowercase()) => {
                let numbers = self.series.get(series).into_iter().flatten();
                let exactly = numbers.filter(|(_, number)| number == word);
                found.extend(exactly.map(|(_, number)| number.clone()));
            }
            None => self.insert(series, first, first, found),
        }
        at
    }

    /// The numbers after the word `decision`.
    fn decisions(&self, words: &[Word<'_>], mut at: usize, found: &mut BTreeSet<String>) -> usize {
        const SERIES: &str = "decision ";
        while let Some(first) = words.get(at).and_then(|word| word.text.parse().ok()) {
            at += 1;
            let (last, next) = self.range_end(words, at, SERIES).unwrap_or((first, at));
            self.insert(SERIES, first, last, found);
            at = next;
            if words.get(at).is_some_and(|word| word.text == "and") {
                at += 1;
            }
        }
        at
    }

    /// The end of a range that goes on at a word: `C-HF-1 to C-HF-5`, `C-HF-1 to 5`, `C-HF-1–5`.
    fn range_end(&self, words: &[Word<'_>], at: usize, series: &str) -> Option<(u32, usize)> {
        let word = words.get(at)?;
        let at = match (word.text, word.before.trim()) {
            ("to", "") => at + 1,
            (_, "–" | "…") => at,
            _ => return None,
        };
        let end = words.get(at)?.text;
        let last = match self.split(end) {
            Some((other, last)) if other == series => last,
            Some(_) => return None,
            None => end.parse().ok()?,
        };
        Some((last, at + 1))
    }

    /// The series and digits of a word that may be a number, whether or not it exists.
    fn split<'w>(&self, word: &'w str) -> Option<(&'w str, u32)> {
        let series = series(word);
        let digits = digits(word)?;
        self.series.contains_key(series).then_some((series, digits))
    }

    fn insert(&self, series: &str, first: u32, last: u32, found: &mut BTreeSet<String>) {
        let existing = self.series.get(series).into_iter().flatten();
        let within = existing.filter(|(digits, _)| (first..=last).contains(digits));
        found.extend(within.map(|(_, number)| number.clone()));
    }
}

fn is_case(number: &str) -> bool {
    !number.contains(['-', ' '])
}

fn words(text: &str) -> Vec<Word<'_>> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_word) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c| !is_word(c)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        words.push(Word {
            text: word.trim_matches('-'),
            before,
        });
        rest = after;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mentions() -> Mentions {
        let rules: String = (1..=7)
            .map(|n| format!("- **C-HS-{n}** x\n- **T-S{n}** x\n"))
            .collect();
        let decisions: String = (1..=9).map(|n| format!("| {n} | x | y |\n")).collect();
        Mentions::of(&Spec::of(&[
            ("connection.md", &rules),
            ("decisions.md", &decisions),
            (
                "test_catalogue.md",
                "**V1** x\n**V2** x\n**ZD3** x\n**J1a** x\n**J1b** x\n",
            ),
        ]))
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found = mentions().in_text(text);
        assert_eq!(
            found.iter().map(String::as_str).collect::<Vec<_>>(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn numbers_are_words() {
        check("C-HS-1.", &["C-HS-1"]);
        check(
            "(rules C-HS-1, T-S2; ZD3): C-HS-12, XC-HS-3, T-S",
            &["C-HS-1", "T-S2", "ZD3"],
        );
        check("rule C-HS-9 does not exist", &[]);
        check("J1, but not J2", &["J1a", "J1b"]);
        check("J1b, but not J1c", &["J1b"]);
        check("the code `V1` and the case V2", &["V2"]);
    }

    #[test]
    fn ranges_name_all_between() {
        let three = ["C-HS-2", "C-HS-3", "C-HS-4"];
        check("C-HS-2 to C-HS-4", &three);
        check("C-HS-2 to 4", &three);
        check("C-HS-2–4", &three);
        check("C-HS-2 to T-S4", &["C-HS-2", "T-S4"]);
        check("C-HS-2 and C-HS-4 to be sure", &["C-HS-2", "C-HS-4"]);
        check("V1 to V5", &["V1", "V2"]);
    }

    #[test]
    fn decisions_are_named_by_the_word() {
        check("Decision 7, C-HS-1", &["C-HS-1", "decision 7"]);
        check(
            "decisions 2, 4 and 5",
            &["decision 2", "decision 4", "decision 5"],
        );
        check(
            "decisions 2 to 3; 8",
            &["decision 2", "decision 3", "decision 8"],
        );
        check("7 decisions", &[]);
    }

    #[test]
    fn a_test_names_rules_in_its_name_comments_and_body() {
        let test = |name: &str, comments: &str, body: &str| Test {
            name: name.into(),
            path: "a.rs".into(),
            comments: comments.into(),
            body: body.into(),
        };
        let found = |test: &Test| mentions().in_test(test).into_iter().collect::<Vec<_>>();
        assert_eq!(found(&test("c_hs_1_is_sent", "", "")), ["C-HS-1"]);
        assert_eq!(found(&test("abc_hs_12", "", "")), [] as [&str; 0]);
        assert_eq!(
            found(&test("a", "V1", "assert!(x, \"C-HS-2\"); Form::V2")),
            ["C-HS-2", "V1"]
        );
    }
}
