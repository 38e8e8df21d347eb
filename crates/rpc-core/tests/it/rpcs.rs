//! One RPC of each kind, and a table that implements them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpc_core::{HandlerError, Implementations, OnUnknownRpc, OneWay, PipeRpc, Rpc, StateRpc};
use tokio::time::sleep;

use crate::source::{self, Never};

/// The query.
pub(crate) static ECHO: Rpc<String, String> = Rpc::new("echo", 1);
/// The query; blocking.
pub(crate) static ECHO_BLOCKING: Rpc<String, String> = Rpc::new("echo-blocking", 1);
/// The query, after that many milliseconds.
pub(crate) static SLEEP: Rpc<i64, i64> = Rpc::new("sleep", 1);
/// Fails with the query's text.
pub(crate) static FAIL: Rpc<String, ()> = Rpc::new("fail", 1);
/// Notes the message.
pub(crate) static NOTE: OneWay<String> = OneWay::new("note", 1);
/// 0 to n - 1, then the end; an error for a negative n.
pub(crate) static COUNT: PipeRpc<i64, i64, String> = PipeRpc::new("count", 1);
/// Nothing at all, and no end.
pub(crate) static HOLD: PipeRpc<(), i64, String> = PipeRpc::new("hold", 1);
/// The state "n", then as COUNT.
pub(crate) static COUNTER: StateRpc<i64, String, i64, String> = StateRpc::new("counter", 1);
/// Implemented by nobody.
pub(crate) static MISSING: Rpc<String, String> = Rpc::new("missing", 1);

/// What [`NOTE`] received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    pub(crate) fn push(&self, note: impl Into<String>) {
        self.0.lock().unwrap().push(note.into());
    }

    pub(crate) fn get(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// What was noted since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Implements all of them. Queries for others are answered, and nothing more.
pub(crate) fn table() -> Implementations<Notes> {
    Implementations::<Notes>::builder()
        .implement(&ECHO, |_, text| async move { Ok(text) })
        .implement_blocking(&ECHO_BLOCKING, |_, text| Ok(text))
        .implement(&SLEEP, |_, millis: i64| async move {
            sleep(Duration::from_millis(u64::try_from(millis)?)).await;
            Ok(millis)
        })
        .implement(&FAIL, |_, text| async move { Err(HandlerError::new(text)) })
        .implement_one_way(&NOTE, |notes, text| {
            notes.push(text);
            async { Ok(()) }
        })
        .implement_pipe(&COUNT, |_, n: i64| async move {
            Ok(if n < 0 {
                Err(format!("{n} is negative"))
            } else {
                Ok(source::iter(0..n))
            })
        })
        .implement_pipe(&HOLD, |_, ()| async { Ok(Ok(Never)) })
        .implement_state(&COUNTER, |_, n: i64| async move {
            Ok(if n < 0 {
                Err(format!("{n} is negative"))
            } else {
                Ok((n.to_string(), source::iter(0..n)))
            })
        })
        .on_unknown_rpc(OnUnknownRpc::Continue)
        .build()
        .unwrap()
}
