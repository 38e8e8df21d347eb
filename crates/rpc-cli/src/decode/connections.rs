//! The connections of a capture, each with its conversation.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::sync::Arc;

use bin_prot::ReadError;
use rpc_wire::Description;
use rpc_wire::conversation::{self, Conversation, Direction};
use thiserror::Error;

use super::output::{Circumstances, Label, Output};
use super::text::shown;

/// How long the text about a failure may be; it can quote the peer.
const TEXT_LIMIT: usize = 500;

/// Why decoding does not go on.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The bytes make no sense from here on.
    #[error("{0}")]
    Nonsense(String),
    /// Nothing can be printed.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
}

/// Feeds each connection's bytes to its conversation, and prints what comes out.
#[derive(Debug)]
pub(crate) struct Connections<W> {
    output: Output<W>,
    limit: usize,
    plain_rpcs: Arc<HashSet<Description>>,
    open: HashMap<usize, Connection>,
}

#[derive(Debug)]
struct Connection {
    conversation: Conversation,
    /// Client and server, where there can be several connections.
    ends: Option<(String, String)>,
}

impl<W: Write> Connections<W> {
    /// `limit` is the largest body of a frame, in bytes.
    pub(crate) fn new(output: Output<W>, limit: usize) -> Self {
        Self {
            limit,
            plain_rpcs: output.plain_rpcs(),
            output,
            open: HashMap::new(),
        }
    }

    /// How many payloads so far are not of the types that the shapes give them.
    pub(crate) fn misfits(&self) -> u64 {
        self.output.misfits()
    }

    /// Begins a connection with this number. With `ends` it is one of several.
    pub(super) fn open(
        &mut self,
        number: usize,
        ends: Option<(String, String)>,
    ) -> Result<(), Failure> {
        if let Some((client, server)) = &ends {
            self.output.connection(Label {
                number,
                client,
                server,
            })?;
        }
        let conversation = Conversation::default()
            .frame_limit(self.limit)
            .plain_rpcs(Arc::clone(&self.plain_rpcs));
        let connection = Connection { conversation, ends };
        self.open.insert(number, connection);
        Ok(())
    }

    /// Takes bytes of a connection; those of an unknown one are dropped.
    pub(super) fn feed(
        &mut self,
        number: usize,
        from: Direction,
        bytes: &[u8],
        at: Option<f64>,
    ) -> Result<(), Failure> {
        let Some(connection) = self.open.get_mut(&number) else {
            return Ok(());
        };
        connection.conversation.feed(from, bytes);
        self.drain(number, at)
    }

    /// Nothing more comes in this direction.
    pub(super) fn end(
        &mut self,
        number: usize,
        from: Direction,
        at: Option<f64>,
    ) -> Result<(), Failure> {
        let Some(connection) = self.open.get_mut(&number) else {
            return Ok(());
        };
        connection.conversation.end(from);
        self.drain(number, at)
    }

    /// Whether a direction can only go on when the other one does.
    pub(super) fn waits(&self, number: usize, from: Direction) -> bool {
        let connection = self.open.get(&number);
        connection.is_some_and(|open| open.conversation.waits_for(from).is_some())
    }

    /// Forgets a connection.
    pub(super) fn close(&mut self, number: usize) {
        self.open.remove(&number);
    }

    /// Before something is said elsewhere.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.output.flush()?)
    }

    fn drain(&mut self, number: usize, at: Option<f64>) -> Result<(), Failure> {
        let Some(connection) = self.open.get_mut(&number) else {
            return Ok(());
        };
        let ends = connection.ends.as_ref();
        let label = ends.map(|(client, server)| Label {
            number,
            client,
            server,
        });
        let around = Circumstances {
            connection: label,
            at,
        };
        while let Some(outcome) = connection.conversation.next_event() {
            match outcome {
                Ok(event) => self.output.event(&event, around)?,
                Err(error) => return Err(Failure::Nonsense(describe(&error))),
            }
        }
        Ok(())
    }
}

fn describe(error: &conversation::Error) -> String {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| {
        error.source()
    });
    let text = |error: &(dyn std::error::Error + 'static)| match error.downcast_ref() {
        // The place within the body; the one within the direction has been told.
        Some(ReadError { kind, .. }) => kind.to_string(),
        None => error.to_string(),
    };
    let mut texts: Vec<_> = causes.map(text).collect();
    texts.dedup();
    shown(texts.join(": ").as_bytes(), TEXT_LIMIT)
}
