//! `rpc ping`: how long a server's answers take.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use rpc_core::{Client, Connection};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use crate::args::Ping;
use crate::environment;
use crate::ping::{Micros, Pinging, RoundTrips};
use crate::progress::Progress;
use crate::watch::text::clean;

/// What is shown of a text of the server's.
const MAX_TEXT: usize = 200;

/// Asks as often as was asked for, or until Ctrl-C.
pub(crate) async fn run(args: Ping) -> anyhow::Result<ExitCode> {
    let config = environment::config()
        .identification("rpc ping")
        .handshake_timeout(args.timeout);
    let config = match args.wire {
        Some(wire) => config.versions(wire.0),
        None => config,
    };
    let client = Client::new().config(config);
    let mut pinging = Pinging::connect(client, args.address, args.timeout).await?;
    let mut report = Report { json: args.json };
    report.connected(&pinging)?;
    let mut times = interval(args.interval.max(Duration::from_nanos(1)));
    times.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut progress = Progress::steps(args.count.get());
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let (mut trips, mut failed) = (RoundTrips::default(), 0);
    for number in 1..=args.count.get() {
        let answer = tokio::select! {
            // What was asked and is not answered yet is not counted.
            _ = &mut interrupted => break,
            answer = async {
                times.tick().await;
                pinging.round_trip().await
            } => answer,
        };
        match answer {
            Ok(time) => {
                trips.add(time);
                report.answered(number, time)?;
            }
            Err(error) => {
                failed += 1;
                let error = format!("{:#}", anyhow::Error::from(error));
                report.failed(number, &clean(&error, MAX_TEXT))?;
            }
        }
        progress.advance(1);
    }
    drop(progress);
    report.summary(&trips, failed)?;
    Ok(match failed {
        0 => ExitCode::SUCCESS,
        1.. => ExitCode::FAILURE,
    })
}

/// Where the results go: lines for people, or objects for machines.
struct Report {
    json: bool,
}

impl Report {
    fn connected(&mut self, pinging: &Pinging) -> io::Result<()> {
        let connection = pinging.connection();
        let (version, menu) = (connection.version(), connection.peer_menu());
        let (introduction, rpcs) = (introduction(connection), menu.map(|m| m.entries().len()));
        if self.json {
            return self.line(&json!({
                "event": "connected",
                "version": version.number(),
                "identification": introduction,
                "rpcs": rpcs,
                "handshake_us": micros(pinging.handshake),
            }));
        }
        let introduction = match introduction {
            Some(text) => format!("identification {:?}", clean(&text, MAX_TEXT)),
            None => "no identification".to_owned(),
        };
        let rpcs = match rpcs {
            Some(number) => format!("{number} RPCs"),
            None => "no menu".to_owned(),
        };
        let handshake = Micros(pinging.handshake);
        let text = format!("version {version}, {introduction}, {rpcs}, handshake {handshake}");
        self.line(&text)
    }

    fn answered(&mut self, number: u64, time: Duration) -> io::Result<()> {
        if self.json {
            let micros = micros(time);
            return self.line(&json!({"event": "answer", "number": number, "us": micros}));
        }
        self.line(&format!("{number}: {}", Micros(time)))
    }

    fn failed(&mut self, number: u64, error: &str) -> io::Result<()> {
        if self.json {
            return self.line(&json!({"event": "failure", "number": number, "error": error}));
        }
        self.line(&format!("{number}: {error}"))
    }

    fn summary(&mut self, trips: &RoundTrips, failed: u64) -> io::Result<()> {
        let answered = trips.count();
        if self.json {
            let at = |percent| trips.percentile(percent).map(micros);
            return self.line(&json!({
                "event": "summary",
                "answered": answered,
                "failed": failed,
                "min_us": at(0),
                "p50_us": at(50),
                "p90_us": at(90),
                "p99_us": at(99),
                "max_us": at(100),
            }));
        }
        self.line(&format!("{answered} answered, {failed} failed; {trips}"))
    }

    fn line(&mut self, line: &impl std::fmt::Display) -> io::Result<()> {
        let mut out = io::stdout();
        writeln!(out, "{line}")?;
        out.flush()
    }
}

/// How the server introduced itself.
fn introduction(connection: &Connection) -> Option<String> {
    let bytes = connection.peer_identification()?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

fn micros(time: Duration) -> Value {
    // Half a million years fit.
    u64::try_from(time.as_micros()).map_or(Value::Null, Value::from)
}
