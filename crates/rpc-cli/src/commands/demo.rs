//! `rpc demo`: what durability means, seen in one terminal.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::watch::{Outside, Target, watch};
use crate::args::Demo;
use crate::demo::report::Report;
use crate::demo::stage::Stage;
use crate::demo::story::{Records, Story, Times};

/// The length of a demo by the clock, in seconds.
const SECONDS: u64 = 40;

/// Runs the whole story, by the clock or by the user's keys.
pub(crate) async fn run(args: Demo) -> anyhow::Result<ExitCode> {
    ensure!(
        !args.interactive || std::io::stdout().is_terminal(),
        "--interactive needs a terminal, for its keys"
    );
    let seconds = args
        .seconds
        .or_else(|| (!args.interactive).then_some(SECONDS));
    let length = seconds.map(Duration::from_secs);
    let times = Times::of(length.unwrap_or(Duration::from_secs(SECONDS)));
    let stage = Stage::set(args.interval).await?;
    let directory = stage.directory();
    let target = Target {
        name: "demo".to_owned(),
        look_up: Arc::new(move || directory.look_up().to_string()),
        retry: Duration::from_millis(300),
        silence: times.silence(),
    };
    let (notes, noted) = mpsc::unbounded_channel();
    let (keys, pressed) = mpsc::unbounded_channel();
    let records = Records::default();
    let story = Story {
        stage,
        start: Instant::now(),
        records: records.clone(),
        notes,
    };
    let story = async {
        let Err(error) = if args.interactive {
            story.by_key(pressed).await
        } else {
            story.by_the_clock(times).await
        };
        error.context("the demo cannot go on")
    };
    let outside = Outside { notes: noted, keys };
    let (monitor, watched) = tokio::select! {
        // With the story ends its server, and the view gives the terminal back.
        watched = watch(&target, args.view, length, outside) => watched?,
        error = story => return Err(error),
    };
    let summary = monitor.summary(watched);
    let report = Report::new(&records.all(), &summary);
    let mut out = std::io::stdout();
    writeln!(out, "\n{summary}\n\n{report}")?;
    Ok(if report.all_recovered() && summary.check_held() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
