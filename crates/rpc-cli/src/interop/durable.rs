//! A durable subscription to the slow counter, and its events as lines.

use std::io::{self, Write};
use std::time::Duration;

use bin_prot::ByteString;
use durable_rpc::{Durable, Event, state};
use rpc_core::Connection;
use tokio::time::{Instant, timeout_at};

use super::rpcs::COUNTER;
use super::run::Target;
use crate::watch::text;

/// The delay after a loss or a failed attempt.
const RETRY: Duration = Duration::from_millis(500);

/// The longest text of an error.
const MAX_TEXT: usize = 1000;

/// Prints each event as `SECONDS EVENT` for so long. Events are called as in the reference.
///
/// # Errors
/// The lines cannot be written.
pub(crate) async fn run(target: Target, length: Duration, out: &mut impl Write) -> io::Result<()> {
    let connect = move || {
        let target = target.clone();
        async move { target.connect().await }
    };
    let connection = Durable::new(connect, Connection::is_closed);
    let mut events = state::create(&COUNTER, &connection, "slow".into(), RETRY);
    let start = Instant::now();
    // The subscription never ends by itself.
    while let Ok(Some(event)) = timeout_at(start + length, events.next()).await {
        let seconds = start.elapsed().as_secs_f64();
        writeln!(out, "{seconds:.3} {}", describe(event))?;
        out.flush()?;
    }
    Ok(())
}

fn describe<M>(event: Event<i64, i64, ByteString, M>) -> String {
    match event {
        Event::AttemptingNewConnection => "Attempting_new_connection".to_owned(),
        Event::ConnectionSuccess(_) => "Connection_success".to_owned(),
        Event::State(state) => format!("State {state}"),
        Event::Update(update) => format!("Update {update}"),
        Event::LostConnection => "Lost_connection".to_owned(),
        Event::FailedToConnect(error) => {
            let error = format!("{:#}", anyhow::Error::from(error));
            format!("Failed_to_connect {}", text::clean(&error, MAX_TEXT))
        }
        Event::RpcError(error) => {
            format!("Rpc_error {}", text::clean(&error.to_string(), MAX_TEXT))
        }
    }
}
