//! `rpc events`: what a server does, as it happens.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, bail};
use rpc_core::{Client, DispatchError};
use rpc_observe::{EVENTS, Message, ServerEvent, What};
use rpc_wire::RpcError;
use serde_json::{Value, json};

use crate::args::Events;
use crate::environment;
use crate::watch::text::clean;

/// What is shown of a text of the server's.
const MAX_TEXT: usize = 200;

/// Shows events until there were as many as asked for, or Ctrl-C.
pub(crate) async fn run(args: Events) -> anyhow::Result<ExitCode> {
    let config = environment::config().identification("rpc events");
    let client = Client::new().config(config);
    let connection = client.connect(&*args.address).await?;
    let mut events = match EVENTS.dispatch(&connection, &()).await {
        Ok(Ok(events)) => events,
        Ok(Err(refusal)) => bail!("the server refuses: {}", clean(&refusal, MAX_TEXT)),
        Err(DispatchError::Rpc(RpcError::UnimplementedRpc(..))) => bail!(
            "the server does not offer its events: it does not implement {} version {}",
            EVENTS.name(),
            EVENTS.version(),
        ),
        Err(error) => return Err(error).context("the server does not show its events"),
    };
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let mut left = args.count;
    while left != Some(0) {
        let event = tokio::select! {
            // Whoever interrupts wants no further event.
            _ = &mut interrupted => return Ok(ExitCode::SUCCESS),
            event = events.next() => event,
        };
        let Some(event) = event else {
            eprintln!("rpc: {}", end(events.close_reason().await));
            return Ok(ExitCode::FAILURE);
        };
        let line = if args.json {
            object(&event).to_string()
        } else {
            line(&event)
        };
        let mut out = io::stdout();
        writeln!(out, "{line}")?;
        out.flush()?;
        left = left.map(|left| left - 1);
    }
    Ok(ExitCode::SUCCESS)
}

fn end(reason: rpc_core::PipeCloseReason) -> String {
    match reason {
        rpc_core::PipeCloseReason::Error(error) => {
            clean(&format!("{:#}", anyhow::Error::from(error)), MAX_TEXT)
        }
        _ => "the server has ended the stream".to_owned(),
    }
}

/// `12:34:56.123456 #3 received query echo version 1 (id 7, 34 bytes)`, in UTC.
fn line(event: &ServerEvent) -> String {
    let message = |verb: &str, message: &Message| {
        let Message {
            kind,
            rpc,
            version,
            id,
            bytes,
        } = message;
        let (kind, rpc) = (clean(kind, MAX_TEXT), clean(rpc, MAX_TEXT));
        format!("{verb} {kind} {rpc} version {version} (id {id}, {bytes} bytes)")
    };
    let what = match &event.what {
        What::Lost(count) => return format!("… {count} events were missed"),
        What::Connected => format!("connected: {}", clean(&event.peer, MAX_TEXT)),
        What::Disconnected => "disconnected".to_owned(),
        What::Sent(sent) => message("sent", sent),
        What::Received(received) => message("received", received),
        What::FailedToSend(failed) => message("failed to send", failed),
        other => format!("{other:?}"),
    };
    format!(
        "{} #{} {what}",
        time_of_day(event.nanoseconds),
        event.connection
    )
}

fn time_of_day(nanoseconds: i64) -> String {
    let micros = nanoseconds.rem_euclid(86_400 * 1_000_000_000) / 1000;
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{micros:06}", seconds % 60)
}

fn object(event: &ServerEvent) -> Value {
    let (what, message) = match &event.what {
        What::Lost(count) => return json!({"what": "lost", "count": count}),
        What::Connected => ("connected", None),
        What::Disconnected => ("disconnected", None),
        What::Sent(message) => ("sent", Some(message)),
        What::Received(message) => ("received", Some(message)),
        What::FailedToSend(message) => ("failed_to_send", Some(message)),
        _ => ("unknown", None),
    };
    let mut object = json!({
        "time_ns": event.nanoseconds,
        "connection": event.connection,
        "peer": event.peer,
        "what": what,
    });
    if let (
        Some(Message {
            kind,
            rpc,
            version,
            id,
            bytes,
        }),
        Some(object),
    ) = (message, object.as_object_mut())
    {
        object.insert("kind".to_owned(), json!(kind));
        object.insert("rpc".to_owned(), json!(rpc));
        object.insert("version".to_owned(), json!(version));
        object.insert("id".to_owned(), json!(id));
        object.insert("bytes".to_owned(), json!(bytes));
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(what: What) -> ServerEvent {
        ServerEvent {
            nanoseconds: 1_700_000_045_123_456_789,
            connection: 3,
            peer: "over\x1b[2Jthere".to_owned(),
            what,
        }
    }

    fn query() -> Message {
        Message {
            kind: "query".to_owned(),
            rpc: "ec\nho".to_owned(),
            version: 1,
            id: 7,
            bytes: 34,
        }
    }

    #[track_caller]
    fn check(what: What, expected: &str) {
        assert_eq!(line(&event(what)), expected);
    }

    #[test]
    fn event_is_one_harmless_line() {
        check(
            What::Received(query()),
            "22:14:05.123456 #3 received query ec?ho version 1 (id 7, 34 bytes)",
        );
        check(
            What::Connected,
            "22:14:05.123456 #3 connected: over?[2Jthere",
        );
        check(What::Disconnected, "22:14:05.123456 #3 disconnected");
        check(What::Lost(12), "… 12 events were missed");
    }

    #[test]
    fn event_is_an_object() {
        let object = object(&event(What::FailedToSend(query())));
        assert_eq!(object["what"], "failed_to_send");
        assert_eq!(object["rpc"], "ec\nho");
        assert_eq!(object["bytes"], 34);
        assert_eq!(object["time_ns"], 1_700_000_045_123_456_789_i64);
    }

    #[test]
    fn times_before_1970_are_times() {
        assert_eq!(time_of_day(-1_000), "23:59:59.999999");
        assert_eq!(time_of_day(i64::MIN).len(), 15);
    }
}
