//! Many seeds, on all cores.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::judge::{Verdict, judge};
use crate::plan::Plan;
use crate::tally::Tally;
use crate::world::Violation;

/// A simulation takes some milliseconds. One that takes so long does not end.
const TOO_LONG: Duration = Duration::from_secs(60);

/// What became of many seeds.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How many there were.
    pub seeds: u64,
    /// What did not hold, by seed.
    pub violations: BTreeMap<u64, Violation>,
    /// What happened in all of them.
    pub tally: Tally,
    /// The most memory that one of them took, and which one.
    pub most_memory: (usize, u64),
    /// How long it took.
    pub elapsed: Duration,
}

/// Runs all of these seeds, as many at a time as there are `jobs`; twice each, if wanted.
///
/// # Errors
/// A runtime cannot be made, or a simulation does not end.
pub fn run(seeds: Range<u64>, jobs: usize, twice: bool) -> io::Result<Summary> {
    let start = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let mut summary = Summary {
        seeds: seeds.end - seeds.start,
        ..Summary::default()
    };
    thread::scope(|scope| {
        let (sender, reports) = mpsc::channel();
        for _ in 0..jobs.max(1) {
            let (sender, next, end) = (sender.clone(), &next, seeds.end);
            scope.spawn(move || work(next, end, twice, &sender));
        }
        drop(sender);
        gather(&reports, &mut summary)
    })?;
    summary.elapsed = start.elapsed();
    Ok(summary)
}

enum Report {
    Begun(u64),
    Done(Box<Verdict>),
}

fn work(next: &AtomicU64, end: u64, twice: bool, reports: &mpsc::Sender<io::Result<Report>>) {
    // What a thread's first runtime leaves behind, it leaves once.
    let warmed_up = judge(&Plan::from_seed(0), false);
    if let Err(error) = warmed_up {
        // Nobody listens any more if another thread has failed.
        let _unheard = reports.send(Err(error));
        return;
    }
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end || reports.send(Ok(Report::Begun(seed))).is_err() {
            return;
        }
        let verdict = judge(&Plan::from_seed(seed), twice);
        let report = verdict.map(|verdict| Report::Done(Box::new(verdict)));
        if reports.send(report).is_err() {
            return;
        }
    }
}

fn gather(reports: &mpsc::Receiver<io::Result<Report>>, summary: &mut Summary) -> io::Result<()> {
    let mut running = BTreeMap::new();
    loop {
        match reports.recv_timeout(Duration::from_secs(1)) {
            Ok(Ok(Report::Begun(seed))) => {
                running.insert(seed, Instant::now());
            }
            Ok(Ok(Report::Done(verdict))) => {
                running.remove(&verdict.seed);
                summary.add(*verdict);
            }
            Ok(Err(error)) => return Err(error),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
        }
        if let Some((seed, _)) = running.iter().find(|(_, since)| since.elapsed() > TOO_LONG) {
            // Its thread cannot be stopped.
            eprintln!("seed {seed} does not end");
            std::process::exit(2);
        }
    }
}

impl Summary {
    fn add(&mut self, verdict: Verdict) {
        self.tally += verdict.tally;
        self.most_memory = self.most_memory.max((verdict.taken.most, verdict.seed));
        if let Some(violation) = verdict.violation {
            self.violations.insert(verdict.seed, violation);
        }
    }

    /// How many seeds each invariant failed for.
    pub fn by_invariant(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for violation in self.violations.values() {
            *counts.entry(violation.invariant).or_default() += 1;
        }
        counts
    }
}
