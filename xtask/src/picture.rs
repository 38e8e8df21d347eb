//! Draws what `rpc demo --plain` printed, for README.
//!
//! ```text
//! rpc demo --seconds 40 --plain | cargo xtask picture
//! ```

use std::{fmt::Write as _, fs, io};

use anyhow::{Context as _, Result, ensure};

use crate::cargo::root;

/// Where the picture goes.
const FILE: &str = "docs/demo.svg";

const LINE_HEIGHT: usize = 18;
/// Of a monospaced letter of 13 pixels.
const LETTER_WIDTH: f64 = 7.8;
const MARGIN: usize = 16;

/// Reads the output of a demo, and writes the picture.
///
/// # Errors
/// What was read is no such output, or the picture cannot be written.
pub(crate) fn run() -> Result<()> {
    let text = io::read_to_string(io::stdin())?;
    let lines = told(&text)?;
    let file = root().join(FILE);
    fs::write(&file, drawn(&lines)).with_context(|| file.display().to_string())?;
    println!("{FILE}: {} lines", lines.len());
    Ok(())
}

/// The events of the summary, and the table. Of attempts that fail one after the other, the first
/// stands for all.
fn told(text: &str) -> Result<Vec<String>> {
    let (_, summary) = text.split_once(" watched for ").context("no summary")?;
    let events = summary.lines().skip(1);
    let events = events.take_while(|line| !line.starts_with("loss 1"));
    let mut lines = vec!["$ rpc demo --seconds 40 --plain".to_owned(), String::new()];
    let mut more_failed = 0;
    let mut has_failed = false;
    for line in events {
        if line.ends_with(')') && line.contains("  connecting (attempt ") {
            continue;
        }
        if line.contains(" failed: ") {
            if has_failed {
                more_failed += 1;
                continue;
            }
            has_failed = true;
        } else {
            if more_failed > 0 {
                lines.push(format!("              … {more_failed} more failed"));
            }
            (more_failed, has_failed) = (0, false);
        }
        lines.push(line.strip_prefix("  ").unwrap_or(line).to_owned());
    }
    let table: Vec<_> = text.lines().collect();
    let header = table
        .iter()
        .rposition(|line| line.contains("until noticed"));
    let header = header.context("no table")?;
    ensure!(table.len() > header + 2, "the table is empty");
    lines.push(String::new());
    lines.extend(table[header..].iter().map(|line| (*line).to_owned()));
    Ok(lines)
}

fn drawn(lines: &[String]) -> String {
    let columns = lines.iter().map(|line| line.chars().count()).max();
    // Longer ones run out of the picture.
    let columns = columns.unwrap_or(0).min(132);
    let width = (columns as f64 * LETTER_WIDTH) as usize + 2 * MARGIN;
    let height = lines.len() * LINE_HEIGHT + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"ui-monospace, SFMono-Regular, Menlo, \
         Consolas, monospace\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#10151c\"/>\n"
    );
    for (number, line) in lines.iter().enumerate() {
        let y = MARGIN + number * LINE_HEIGHT + 13;
        let color = color(line);
        let mut text: String = line.chars().take(columns).collect();
        if text.len() < line.len() {
            text.pop();
            text.push('…');
        }
        let text = escaped(&text);
        // Writing to a string does not fail.
        let _written = writeln!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{y}\" fill=\"{color}\" xml:space=\"preserve\">{text}</text>"
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn color(line: &str) -> &'static str {
    let rules = [
        ("FAULT", "#ff9e64"),
        ("REPAIRED", "#7dcfff"),
        ("LOST", "#f7768e"),
        ("CONNECTED", "#9ece6a"),
        ("failed", "#8a93a6"),
        ("until noticed", "#8a93a6"),
        ("recovered from", "#9ece6a"),
    ];
    let rule = rules.iter().find(|(word, _)| line.contains(word));
    rule.map_or("#d5dae6", |(_, color)| color)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
     0.001 s  connecting (attempt 1)
demo watched for 2.0 s
     0.001 s  connecting (attempt 1)
     0.004 s  CONNECTED (connection 1): full snapshot, sequence 7
     0.500 s  -- FAULT: server <7> is killed
     0.502 s  attempt 1 failed: refused
     0.503 s  connecting (attempt 2)
     0.504 s  attempt 2 failed: refused
     1.505 s  CONNECTED (connection 2): full snapshot, sequence 1
loss 1: at 0.500 s
recovered: yes

      at  fault   until noticed repair to fresh  seen by the consumer
   0.5 s  killed        0.010 s         0.227 s  lost
1 of 1 faults recovered from
";

    #[test]
    fn events_and_table_are_told() {
        let lines = told(OUTPUT).unwrap();
        let expected = [
            "$ rpc demo --seconds 40 --plain",
            "",
            "   0.004 s  CONNECTED (connection 1): full snapshot, sequence 7",
            "   0.500 s  -- FAULT: server <7> is killed",
            "   0.502 s  attempt 1 failed: refused",
            "              … 1 more failed",
            "   1.505 s  CONNECTED (connection 2): full snapshot, sequence 1",
            "",
            "      at  fault   until noticed repair to fresh  seen by the consumer",
            "   0.5 s  killed        0.010 s         0.227 s  lost",
            "1 of 1 faults recovered from",
        ];
        let trim = |lines: &[&str]| -> Vec<String> {
            lines.iter().map(|line| line.trim().to_owned()).collect()
        };
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        assert_eq!(trim(&lines), trim(&expected));
    }

    #[test]
    fn picture_is_well_formed() {
        let svg = drawn(&told(OUTPUT).unwrap());
        assert!(svg.contains("server &lt;7&gt; is killed"));
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }

    #[test]
    fn output_of_something_else_is_refused() {
        assert!(told("hello").is_err());
    }
}
