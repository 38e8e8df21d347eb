//! Draws and judges what the other programs have found: charts, and the table of targets.
//!
//! Reads nothing but their JSON, so that no figure is ever copied by hand.

#![expect(clippy::print_stdout, reason = "the table is the output")]

mod chart;
mod charts;
mod found;
mod targets;

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;

/// Draws and judges what the other programs have found.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where their JSON is, by run, and where charts and table go.
    folder: PathBuf,
    /// Write nothing; fail if anything there is not what the JSON says.
    #[arg(long)]
    check: bool,
}

fn main() -> Result<()> {
    let Arguments { folder, check } = Arguments::parse();
    let runs = found::read_all(&folder)?;
    let targets = targets::judge(&runs)?;
    print!("{targets}");
    let newest = runs.last().context("no run")?;
    let mut files = charts::draw(newest)?;
    files.push(("targets.md".to_owned(), targets));
    let mut stale = Vec::new();
    for (name, content) in files {
        let path = folder.join(&name);
        if !check {
            fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
        } else if fs::read_to_string(&path).ok().as_deref() != Some(&content) {
            stale.push(name);
        }
    }
    ensure!(
        stale.is_empty(),
        "not what the JSON says: {}; `cargo xtask bench report` writes them anew",
        stale.join(", ")
    );
    Ok(())
}
