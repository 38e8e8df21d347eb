//! Which charts there are.

use anyhow::{Context as _, Result};
use benches::{load::results::Latency, memory::Idle};

use crate::{
    chart::{self, Series, Titles},
    found::{self, Found},
};

/// Their names and contents.
///
/// # Errors
/// Something is missing in what was found, or cannot be drawn.
pub(crate) fn draw(found: &Found) -> Result<Vec<(String, String)>> {
    Ok(vec![
        ("rates.svg".to_owned(), rates(found)?),
        ("cpu.svg".to_owned(), cpu(found)?),
        ("latency-5k.svg".to_owned(), latency(found, "paced-5k")?),
        ("latency-25k.svg".to_owned(), latency(found, "paced-25k")?),
        ("memory.svg".to_owned(), memory(found)?),
        ("growth.svg".to_owned(), growth(found)?),
    ])
}

/// All systems but the limit itself, in the order of the tables.
const SYSTEMS: [&str; 6] = [
    "ours",
    "ours-tasks",
    "tarpc",
    "tonic",
    "capnp-rpc",
    "volo-thrift",
];

/// Workloads that have a limit, which is not one where the rate is given.
const WORKLOADS: [&str; 13] = [
    "ping",
    "ping-1k",
    "ping-64k",
    "calls-64",
    "calls-64-1k",
    "calls-64-64k",
    "calls-1024",
    "calls-1024-1k",
    "calls-1024-64k",
    "stream",
    "one-way",
    "group",
    "connect",
];

fn rates(found: &Found) -> Result<String> {
    let titles = Titles {
        chart: "Rate, compared to that of raw frames",
        x: "workload",
        y: "rate / raw's",
    };
    let series = SYSTEMS.map(|name| {
        let ratio =
            |workload: &&str| Some(found::system(&found.peers, workload, name).ok()?.rate_ratio);
        Series {
            name: name.to_owned(),
            values: WORKLOADS.iter().map(ratio).collect(),
        }
    });
    chart::bars(titles, &WORKLOADS, &series, 1.2)
}

/// Processor time beyond which a bar is cut off: it is then many times as long as ours anyway.
const CPU_MAX: f64 = 30.0;

fn cpu(found: &Found) -> Result<String> {
    let titles = Titles {
        chart: "Processor time of a call, both sides together, compared to raw frames' (cut off at 30)",
        x: "workload",
        y: "time / raw's",
    };
    let series = SYSTEMS.map(|name| {
        let ratio =
            |workload: &&str| Some(found::system(&found.peers, workload, name).ok()?.cpu_ratio);
        Series {
            name: name.to_owned(),
            values: WORKLOADS.iter().map(ratio).collect(),
        }
    });
    chart::bars(titles, &WORKLOADS, &series, CPU_MAX)
}

fn latency(found: &Found, workload: &str) -> Result<String> {
    let systems = found::all(&found.peers, workload)?;
    let series: Vec<_> = systems
        .iter()
        .filter_map(|system| {
            let Latency {
                p50,
                p90,
                p99,
                p999,
                max: _,
            } = system.latency_micros?;
            let values = [(2.0, p50), (10.0, p90), (100.0, p99), (1000.0, p999)];
            Some(Series {
                name: system.system.clone(),
                values: values.to_vec(),
            })
        })
        .collect();
    let all = series.iter().flat_map(|one| &one.values);
    let highest = all.map(|&(_, micros)| micros).fold(100.0, f64::max);
    let chart = format!("Time of a call from when it was due, {workload} per second");
    let titles = Titles {
        chart: &chart,
        x: "one call in so many takes longer",
        y: "µs",
    };
    chart::lines(titles, 2.0..1000.0, 10.0..2.0 * highest, &series)
}

fn memory(found: &Found) -> Result<String> {
    let groups = [
        "connection, callee",
        "connection, caller",
        "subscription, callee",
        "subscription, caller",
    ];
    let titles = Titles {
        chart: "Resident memory of what is idle (cut off at 64 KiB)",
        x: "",
        y: "KiB for each",
    };
    let mut series = Vec::new();
    for row in &found.memory.rows {
        if row.idle != Idle::Connections {
            continue;
        }
        let subscription = found.idle(Idle::Subscriptions, &row.system).ok();
        let values = [
            Some(row.callee_bytes),
            Some(row.caller_bytes),
            subscription.map(|row| row.callee_bytes),
            subscription.map(|row| row.caller_bytes),
        ];
        let kib = values.map(|value| value.map(|spread| spread.median / 1024.0));
        series.push(Series {
            name: row.system.clone(),
            values: kib.to_vec(),
        });
    }
    chart::bars(titles, &groups, &series, 64.0)
}

fn growth(found: &Found) -> Result<String> {
    let titles = Titles {
        chart: "Processor time of a call or an update, compared to that at 100",
        x: "how many",
        y: "time / that at 100",
    };
    let mut series = Vec::new();
    for curve in &found.curves.curves {
        let line = found::ours(curve)?;
        let points = line.relative_cpu().filter(|&(count, _)| count > 0);
        series.push(Series {
            name: curve.of.clone(),
            values: points.map(|(count, cpu)| (count as f64, cpu)).collect(),
        });
    }
    let first = found.curves.curves.first().context("no curves")?;
    if let Some(raw) = first.lines.iter().find(|line| line.system == "raw") {
        let points = raw.relative_cpu();
        series.push(Series {
            name: format!("raw: {}", first.of),
            values: points.map(|(count, cpu)| (count as f64, cpu)).collect(),
        });
    }
    chart::lines(titles, 1.0..10_000.0, 0.25..32.0, &series)
}
