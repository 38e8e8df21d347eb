//! What there is to report.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use benches::{
    curve::{Curve, Curves, Line},
    load::results::{self, Results, SystemResults},
    memory::{Idle, Memory, Row},
};

/// One run.
#[derive(Debug)]
pub(crate) struct Found {
    /// With processors that do while they are idle what they are set to do.
    pub(crate) peers: Results,
    /// With processors that were kept awake.
    pub(crate) awake: Results,
    pub(crate) memory: Memory,
    pub(crate) curves: Curves,
}

/// Where a run is, counted from 1.
fn folder(all: &Path, run: usize) -> PathBuf {
    all.join(format!("run-{run}"))
}

/// All runs, in their order.
///
/// # Errors
/// There is none, or something is missing in one.
pub(crate) fn read_all(all: &Path) -> Result<Vec<Found>> {
    let folders = (1..).map(|run| folder(all, run));
    let folders = folders.take_while(|folder| folder.is_dir());
    let runs: Vec<_> = folders
        .map(|run| Found::read(&run))
        .collect::<Result<_>>()?;
    ensure!(!runs.is_empty(), "no {}", folder(all, 1).display());
    Ok(runs)
}

impl Found {
    /// All of it.
    ///
    /// # Errors
    /// One is missing, or is something else.
    fn read(folder: &Path) -> Result<Self> {
        Ok(Self {
            peers: results::read(&folder.join("peers.json"))?,
            awake: results::read(&folder.join("peers-awake.json"))?,
            memory: results::read(&folder.join("memory.json"))?,
            curves: results::read(&folder.join("curves.json"))?,
        })
    }

    /// What a system keeps in memory.
    pub(crate) fn idle(&self, idle: Idle, name: &str) -> Result<&Row> {
        let mut rows = self.memory.rows.iter();
        rows.find(|row| row.idle == idle && row.system == name)
            .with_context(|| format!("no {idle:?} of {name}"))
    }

    /// What our calls cost as there is more of something.
    pub(crate) fn curve(&self, of: &str) -> Result<&Line> {
        let curve = self.curves.curves.iter().find(|curve| curve.of == of);
        ours(curve.with_context(|| format!("no curve of {of}"))?)
    }
}

/// What a system did of a workload.
pub(crate) fn system<'a>(
    results: &'a Results,
    workload: &str,
    name: &str,
) -> Result<&'a SystemResults> {
    let mut systems = all(results, workload)?.iter();
    systems
        .find(|system| system.system == name)
        .with_context(|| format!("no {name} in {workload}"))
}

/// What all systems did of a workload.
pub(crate) fn all<'a>(results: &'a Results, workload: &str) -> Result<&'a [SystemResults]> {
    let mut tables = results.tables.iter();
    let table = tables.find(|table| table.workload == workload);
    Ok(&table.with_context(|| format!("no {workload}"))?.systems)
}

/// How many samples others disturbed, in words.
pub(crate) fn disturbed(results: &Results) -> String {
    let systems = results.tables.iter().flat_map(|table| &table.systems);
    let (disturbed, all) = systems.fold((0, 0), |(disturbed, all), system| {
        (disturbed + system.disturbed, all + system.samples.len())
    });
    format!("{disturbed} of {all} samples disturbed by others")
}

/// Our line of a curve.
pub(crate) fn ours(curve: &Curve) -> Result<&Line> {
    let line = curve.lines.iter().find(|line| line.system == "ours");
    line.with_context(|| format!("we are not in {}", curve.of))
}
