//! One call after the other, whoever makes them: with and without listeners to the tracing events.

use std::{
    net::SocketAddr,
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::Result;
use bin_prot::ByteString;
use rpc_core::{Connection, TracingSubscription};

use super::{ECHO, check, payload};
use crate::load::caller::Caller;

/// The calling end.
#[derive(Clone, Debug)]
pub struct Connected(Connection);

impl Caller for Connected {
    async fn connect(to: SocketAddr) -> Result<Self> {
        Ok(Self(super::caller(to).await?))
    }

    async fn call(&mut self, number: u64, bytes: usize) -> Result<()> {
        let query = ByteString(payload(number, bytes));
        let ByteString(response) = ECHO.dispatch(&self.0, &query).await?;
        check(&response, number, bytes)
    }
}

/// The same, with a listener.
#[derive(Clone)]
pub(super) struct Heard {
    connected: Connected,
    /// Ends with the last clone.
    _listening: Rc<Option<TracingSubscription>>,
}

impl Caller for Heard {
    async fn connect(to: SocketAddr) -> Result<Self> {
        let connected = Connected::connect(to).await?;
        let listening = listen(&connected.0, true);
        Ok(Self {
            connected,
            _listening: Rc::new(listening),
        })
    }

    async fn call(&mut self, number: u64, bytes: usize) -> Result<()> {
        self.connected.call(number, bytes).await
    }
}

/// Counts the events of a connection, if they are to be heard.
pub(super) fn listen(connection: &Connection, heard: bool) -> Option<TracingSubscription> {
    let events = AtomicU64::new(0);
    heard.then(|| {
        connection.subscribe(move |_| {
            events.fetch_add(1, Ordering::Relaxed);
        })
    })
}
