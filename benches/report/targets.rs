//! The targets, and what the runs say of them.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use benches::{
    load::results::{Results, SystemResults},
    memory::Idle,
};

use crate::found::{self, Found};

/// What is compared of two systems.
#[derive(Clone, Copy, Debug)]
enum Figure {
    /// Calls, updates or connections per second.
    Rate,
    /// How many calls one after the other the median of their times would make.
    Speed,
    /// Processor time for each.
    Cpu,
}

impl Figure {
    fn of(self, system: &SystemResults) -> Result<f64> {
        match self {
            Self::Rate => Ok(system.per_second.median),
            Self::Cpu => Ok(system.cpu_micros.median),
            Self::Speed => {
                let latency = system.latency_micros.context("calls were not timed")?;
                Ok(latency.p50.recip())
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Speed => "speed by p50",
            Self::Cpu => "processor time each",
        }
    }
}

/// Whom we are compared with.
#[derive(Clone, Copy, Debug)]
enum Against {
    /// This system in the same workload.
    System(&'static str),
    /// The best of the peers in it.
    BestPeer,
    /// This system in another one.
    Elsewhere(&'static str, &'static str),
}

/// What the ratio may be.
#[derive(Clone, Copy, Debug)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Against::{BestPeer, Elsewhere, System};
use Bound::{AtLeast, AtMost};
use Figure::{Cpu, Rate, Speed};

const RAW: Against = System("raw");
const TARPC: Against = System("tarpc");
const TONIC: Against = System("tonic");

const RATIOS: &[(&str, Figure, Against, Bound)] = &[
    ("ping", Speed, RAW, AtLeast(0.90)),
    ("ping", Speed, BestPeer, AtLeast(1.0)),
    ("ping-64k", Speed, RAW, AtLeast(0.85)),
    ("ping-64k", Speed, BestPeer, AtLeast(1.0)),
    ("calls-64", Rate, TARPC, AtLeast(4.5)),
    ("calls-64", Rate, TONIC, AtLeast(20.0)),
    ("calls-64", Cpu, RAW, AtMost(2.0)),
    ("calls-1024", Rate, TARPC, AtLeast(5.0)),
    ("calls-1024", Rate, TONIC, AtLeast(30.0)),
    ("calls-1024", Cpu, Elsewhere("calls-64", OURS), AtMost(0.6)),
    ("calls-64-1k", Rate, TARPC, AtLeast(2.8)),
    ("calls-64-1k", Rate, RAW, AtLeast(0.65)),
    ("calls-64-64k", Rate, RAW, AtLeast(0.75)),
    ("calls-64-64k", Rate, BestPeer, AtLeast(1.15)),
    ("stream", Rate, TONIC, AtLeast(1.5)),
    ("callback", Rate, Elsewhere("stream", "raw"), AtLeast(0.25)),
    ("group", Rate, RAW, AtLeast(0.30)),
    ("group", Rate, TONIC, AtLeast(25.0)),
    ("one-way", Rate, RAW, AtLeast(0.5)),
    ("connect", Rate, TONIC, AtLeast(1.0)),
    ("connect", Rate, TARPC, AtLeast(1.0)),
];

const OURS: &str = "ours";

/// The same, with as many tasks as calls, as the peers make them.
const OURS_TASKS: &str = "ours-tasks";

/// The same, with one-way messages dispatched one by one, as the peers make calls.
const OURS_SINGLE: &str = "ours-single";

/// Those that are no peers.
const NO_PEERS: [&str; 5] = ["raw", OURS, OURS_TASKS, OURS_SINGLE, "raw-handshake"];

/// Bytes that one of them may keep in memory, at either side.
const MEMORY: [(Idle, f64); 2] = [
    (Idle::Connections, 6.0 * 1024.0),
    (Idle::Subscriptions, 1024.0),
];

/// What may not cost more as it grows.
const CURVES: [&str; 4] = [
    "calls in flight",
    "implementations in the table",
    "idle streams on the connection",
    "streams with the same updates",
];

/// By how much a call may cost more than beside a hundred.
const GROWTH: f64 = 1.3;

/// What a busy connection keeps of its rate beside ten thousand idle ones.
const BUSY: f64 = 0.9;

impl Bound {
    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(bound) => figure >= bound,
            Self::AtMost(bound) => figure <= bound,
        }
    }

    fn to_text(self, unit: &str) -> String {
        match self {
            Self::AtLeast(bound) => format!("at least {bound}{unit}"),
            Self::AtMost(bound) => format!("at most {bound}{unit}"),
        }
    }
}

/// The page.
///
/// # Errors
/// Something is missing in what was found.
pub(crate) fn judge(runs: &[Found]) -> Result<String> {
    let mut page = String::from(
        "# Targets\n\nWritten by `cargo xtask bench report` from the JSON files in the folders beside it, one \
         for each run. Ratios are of medians in one run.\n\n",
    );
    for (run, found) in (1..).zip(runs) {
        writeln!(
            page,
            "- Run {run}: {}, TCP with {}; calls and updates: {}; with processors kept awake: {}; memory: {}; growth: {}.",
            found.peers.conditions.processor,
            found.peers.conditions.congestion_control,
            calls(&found.peers),
            calls(&found.awake),
            found.memory.conditions.rounds,
            found.curves.conditions.rounds,
        )?;
    }
    page.push_str(
        "\n## Calls, updates and connections\n\nWith processors that are kept awake while they have \
         nothing to do (`--awake`): what the systems take.\n\n",
    );
    let awake: Vec<_> = runs.iter().map(|found| &found.awake).collect();
    page.push_str(&ratios(&awake)?);
    page.push_str(
        "\nThe same with processors that sleep while they have nothing to do: what the systems take, \
         and what it takes to wake a processor that waits for a batch.\n\n",
    );
    let asleep: Vec<_> = runs.iter().map(|found| &found.peers).collect();
    page.push_str(&ratios(&asleep)?);
    page.push_str("\n## Memory\n\n");
    page.push_str(&head(&["Idle", "Side"], runs.len(), &[]));
    for (idle, bytes) in MEMORY {
        for side in [Side::Callee, Side::Caller] {
            page.push_str(&memory_row(runs, idle, side, AtMost(bytes))?);
        }
    }
    page.push_str("\n## Growth\n\n");
    page.push_str(&head(&["As there is more of", ""], runs.len(), &[]));
    for of in CURVES {
        let worst = |found: &Found| {
            let cpu = found.curve(of)?.relative_cpu().map(|(_, cpu)| cpu);
            Ok(cpu.fold(f64::NEG_INFINITY, f64::max))
        };
        let figures = figures(runs, worst)?;
        let labels = [of, "processor time, the most compared to that at 100"];
        page.push_str(&line(&labels, AtMost(GROWTH), "", &figures, 2));
    }
    let idle = "idle connections of the server";
    let kept = |found: &Found| {
        let points = &found.curve(idle)?.points;
        let (alone, beside) = points.first().zip(points.last()).context("no points")?;
        ensure!(alone.count == 0, "never alone beside {idle}");
        Ok(beside.per_second.median / alone.per_second.median)
    };
    let labels = [idle, "rate beside the most, compared to that alone"];
    page.push_str(&line(&labels, AtLeast(BUSY), "", &figures(runs, kept)?, 2));
    Ok(page)
}

/// The conditions of calls and updates.
fn calls(results: &Results) -> String {
    let rounds = &results.conditions.rounds;
    format!("{rounds}, {}", found::disturbed(results))
}

/// The table of everything that is compared with others.
fn ratios(runs: &[&Results]) -> Result<String> {
    let mut table = head(
        &["Workload", "Ours, compared by", "to"],
        runs.len(),
        &["With a task for each call"],
    );
    for row in RATIOS {
        table.push_str(&ratio_row(runs, row)?);
    }
    Ok(table)
}

/// The same figure of every run.
fn figures<T>(runs: &[T], figure: impl Fn(&T) -> Result<f64>) -> Result<Vec<f64>> {
    runs.iter().map(figure).collect()
}

/// The first two lines of a table.
fn head(labels: &[&str], runs: usize, more: &[&str]) -> String {
    let runs: Vec<_> = (1..=runs).map(|run| format!("Run {run}")).collect();
    let mut cells = labels.to_vec();
    cells.push("Target");
    cells.extend(runs.iter().map(String::as_str));
    cells.push("");
    cells.extend(more);
    format!(
        "| {} |\n|{}\n",
        cells.join(" | "),
        "---|".repeat(cells.len())
    )
}

/// One line of a table.
fn line(labels: &[&str], bound: Bound, unit: &str, figures: &[f64], digits: usize) -> String {
    let figures_text: Vec<_> = figures.iter().map(|it| format!("{it:.digits$}")).collect();
    format!(
        "| {} | {} | {} | {} |\n",
        labels.join(" | "),
        bound.to_text(unit),
        figures_text.join(" | "),
        verdict(bound, figures)
    )
}

/// What all runs together say.
fn verdict(bound: Bound, figures: &[f64]) -> String {
    let met = figures
        .iter()
        .filter(|figure| bound.is_met(**figure))
        .count();
    match met {
        0 => "missed".to_owned(),
        met if met == figures.len() => "met".to_owned(),
        met => format!("met in {met} of {}", figures.len()),
    }
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Callee,
    Caller,
}

fn memory_row(runs: &[Found], idle: Idle, side: Side, bound: Bound) -> Result<String> {
    let bytes = |found: &Found| {
        let row = found.idle(idle, OURS)?;
        Ok(match side {
            Side::Callee => row.callee_bytes.median,
            Side::Caller => row.caller_bytes.median,
        })
    };
    let name = match idle {
        Idle::Connections => "connection",
        Idle::Subscriptions => "subscription",
    };
    let side = match side {
        Side::Callee => "callee",
        Side::Caller => "caller",
    };
    Ok(line(
        &[name, side],
        bound,
        " bytes",
        &figures(runs, bytes)?,
        0,
    ))
}

fn ratio_row(runs: &[&Results], row: &(&str, Figure, Against, Bound)) -> Result<String> {
    let &(workload, figure, against, bound) = row;
    let ratios = |name| {
        figures(runs, |run| {
            let ours = figure.of(found::system(run, workload, name)?)?;
            Ok(ours / figure.of(other(run, workload, figure, against)?)?)
        })
    };
    let to = match against {
        System(name) => name.to_owned(),
        Elsewhere(elsewhere, name) => format!("{name} in {elsewhere}"),
        BestPeer => {
            let mut best = Vec::new();
            for run in runs {
                best.push(other(run, workload, figure, against)?.system.clone());
            }
            best.dedup();
            format!("the best peer: {}", best.join(", "))
        }
    };
    let ours = line(
        &[workload, figure.name(), &to],
        bound,
        "",
        &ratios(OURS)?,
        2,
    );
    let is_busy = workload.starts_with("calls-");
    let tasks = match (is_busy, against) {
        (true, System(_) | BestPeer) => {
            let ratios = ratios(OURS_TASKS)?;
            let ratios: Vec<_> = ratios.iter().map(|it| format!("{it:.2}")).collect();
            ratios.join(", ")
        }
        (true, Elsewhere(..)) | (false, _) => String::new(),
    };
    Ok(format!("{} {tasks} |\n", ours.trim_end()))
}

fn other<'a>(
    run: &'a Results,
    workload: &str,
    figure: Figure,
    against: Against,
) -> Result<&'a SystemResults> {
    match against {
        System(name) => found::system(run, workload, name),
        Elsewhere(elsewhere, name) => found::system(run, elsewhere, name),
        BestPeer => {
            let systems = found::all(run, workload)?.iter();
            let peers = systems.filter(|system| !NO_PEERS.contains(&system.system.as_str()));
            let mut best = None;
            for peer in peers {
                let is_better = match best {
                    None => true,
                    Some(best) => figure.of(peer)? > figure.of(best)?,
                };
                if is_better {
                    best = Some(peer);
                }
            }
            best.with_context(|| format!("no peers in {workload}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_is_reached_exactly_is_met() {
        for bound in [AtLeast(1.5), AtMost(1.5)] {
            assert_eq!(verdict(bound, &[1.5, 1.5]), "met");
        }
        assert_eq!(verdict(AtLeast(1.5), &[1.49]), "missed");
        assert_eq!(verdict(AtMost(1.5), &[1.51, 2.0]), "missed");
        assert_eq!(verdict(AtMost(1.5), &[1.51, 1.0, 1.2]), "met in 2 of 3");
        assert_eq!(verdict(AtLeast(1.5), &[f64::NAN]), "missed");
    }
}
