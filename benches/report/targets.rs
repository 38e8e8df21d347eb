//! The targets, and what the newest runs say of them.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use benches::{
    load::results::{Conditions, SystemResults},
    memory::Idle,
};

use crate::found::Found;

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

/// Those that are no peers.
const NO_PEERS: [&str; 3] = ["raw", OURS, OURS_TASKS];

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
pub(crate) fn judge(found: &Found) -> Result<String> {
    let mut page = String::from(
        "# Targets\n\nWritten by `cargo xtask bench report` from the JSON files beside it. Ratios are of \
         medians in one run.\n\n",
    );
    writeln!(
        page,
        "Calls and updates: {}; {}.\n",
        conditions(&found.peers.conditions),
        found.disturbed()
    )?;
    page.push_str(
        "| Workload | Ours, compared by | to | Target | Found | | With a task for each call |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for row in RATIOS {
        page.push_str(&ratio_row(found, row)?);
    }
    writeln!(
        page,
        "\nMemory: {}.\n",
        conditions(&found.memory.conditions)
    )?;
    page.push_str("| Idle | Side | Target | Found | |\n|---|---|---|---|---|\n");
    for (idle, bytes) in MEMORY {
        let row = found.idle(idle, OURS)?;
        for (side, spread) in [("callee", row.callee_bytes), ("caller", row.caller_bytes)] {
            let name = match idle {
                Idle::Connections => "connection",
                Idle::Subscriptions => "subscription",
            };
            let bound = AtMost(bytes);
            writeln!(
                page,
                "| {name} | {side} | {} | {:.0} | {} |",
                bound.to_text(" bytes"),
                spread.median,
                verdict(bound, spread.median)
            )?;
        }
    }
    writeln!(
        page,
        "\nGrowth: {}.\n",
        conditions(&found.curves.conditions)
    )?;
    page.push_str("| As there is more of | | Target | Found | |\n|---|---|---|---|---|\n");
    for of in CURVES {
        let line = found.curve(of)?;
        let worst = line.relative_cpu().map(|(_, cpu)| cpu);
        let worst = worst.fold(f64::NEG_INFINITY, f64::max);
        let bound = AtMost(GROWTH);
        writeln!(
            page,
            "| {of} | processor time, the most compared to that at 100 | {} | {worst:.2} | {} |",
            bound.to_text(""),
            verdict(bound, worst)
        )?;
    }
    let idle = "idle connections of the server";
    let points = &found.curve(idle)?.points;
    let (alone, beside) = points.first().zip(points.last()).context("no points")?;
    ensure!(alone.count == 0, "never alone beside {idle}");
    let kept = beside.per_second.median / alone.per_second.median;
    let bound = AtLeast(BUSY);
    writeln!(
        page,
        "| {idle} | rate beside {}, compared to that alone | {} | {kept:.2} | {} |",
        beside.count,
        bound.to_text(""),
        verdict(bound, kept)
    )?;
    Ok(page)
}

fn conditions(conditions: &Conditions) -> String {
    let Conditions {
        processor, rounds, ..
    } = conditions;
    format!("{processor}, {rounds}")
}

fn verdict(bound: Bound, figure: f64) -> &'static str {
    if bound.is_met(figure) {
        "met"
    } else {
        "missed"
    }
}

fn ratio_row(found: &Found, row: &(&str, Figure, Against, Bound)) -> Result<String> {
    let &(workload, figure, against, bound) = row;
    let other = other(found, workload, figure, against)?;
    let ratio = |name| {
        let system = found.system(workload, name)?;
        Ok::<_, anyhow::Error>(figure.of(system)? / figure.of(other)?)
    };
    let ours = ratio(OURS)?;
    let is_busy = workload.starts_with("calls-");
    let tasks = match (is_busy, against) {
        (true, System(_) | BestPeer) => format!("{:.2}", ratio(OURS_TASKS)?),
        (true, Elsewhere(..)) | (false, _) => String::new(),
    };
    let other = match against {
        Elsewhere(elsewhere, _) => format!("{} in {elsewhere}", other.system),
        BestPeer => format!("{}, the best peer", other.system),
        System(_) => other.system.clone(),
    };
    Ok(format!(
        "| {workload} | {} | {other} | {} | {ours:.2} | {} | {tasks} |\n",
        figure.name(),
        bound.to_text(""),
        verdict(bound, ours)
    ))
}

fn other<'a>(
    found: &'a Found,
    workload: &str,
    figure: Figure,
    against: Against,
) -> Result<&'a SystemResults> {
    match against {
        System(name) => found.system(workload, name),
        Elsewhere(elsewhere, name) => found.system(elsewhere, name),
        BestPeer => {
            let systems = found.all(workload)?.iter();
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
            assert_eq!(verdict(bound, 1.5), "met");
        }
        assert_eq!(verdict(AtLeast(1.5), 1.49), "missed");
        assert_eq!(verdict(AtMost(1.5), 1.51), "missed");
        assert_eq!(verdict(AtLeast(1.5), f64::NAN), "missed");
    }
}
