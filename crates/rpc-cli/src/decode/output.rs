//! Where the lines go, and in which form.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::Arc;

use rpc_wire::Description;
use rpc_wire::conversation::{Content, Direction, Event};
use rpc_wire::handshake::PeerMetadata;

use super::payload::{Payloads, Shown};
use super::text::shown;
use super::{json, line};

/// How long a warning may be; it quotes the name of an RPC.
const TEXT_LIMIT: usize = 500;

/// What is known of a message beside the message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    /// The connection, where there can be several.
    pub(super) connection: Option<Label<'a>>,
    /// Seconds since the capture began.
    pub(super) at: Option<f64>,
}

/// A connection's number and its ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label<'a> {
    pub(super) number: usize,
    pub(super) client: &'a str,
    pub(super) server: &'a str,
}

/// Prints one line per message.
#[derive(Debug)]
pub(crate) struct Output<W> {
    out: W,
    is_json: bool,
    payloads: Payloads,
    /// How many payloads are not of their types.
    misfits: u64,
    /// What was said of the shapes already.
    warnings: HashSet<String>,
}

/// How much is said of shapes that a peer contradicts; more of it is no help.
const WARNINGS_LIMIT: usize = 20;

impl<W: Write> Output<W> {
    pub(crate) fn new(out: W, is_json: bool, payloads: Payloads) -> Self {
        Self {
            out,
            is_json,
            payloads,
            misfits: 0,
            warnings: HashSet::new(),
        }
    }

    /// The RPCs that are known to be plain or one-way.
    pub(super) fn plain_rpcs(&self) -> Arc<HashSet<Description>> {
        self.payloads.plain_rpcs()
    }

    /// How many payloads so far are not of the types that the shapes give them.
    pub(crate) fn misfits(&self) -> u64 {
        self.misfits
    }

    /// Announces a connection; JSON has its name in every object.
    pub(super) fn connection(&mut self, label: Label<'_>) -> io::Result<()> {
        if self.is_json {
            return Ok(());
        }
        let Label {
            number,
            client,
            server,
        } = label;
        writeln!(self.out, "connection {number}: {client} -> {server}")
    }

    pub(super) fn event(&mut self, event: &Event, around: Circumstances<'_>) -> io::Result<()> {
        let payload = match &event.content {
            Content::Query(query) => self.payloads.of_query(query),
            Content::Response(response) => self.payloads.of_response(response),
            _ => None,
        };
        self.misfits += u64::from(matches!(payload, Some(Shown::Misfit { .. })));
        let line = if self.is_json {
            json::object(event, around, payload).to_string()
        } else {
            line::of(event, around, payload.as_ref())
        };
        writeln!(self.out, "{line}")?;
        if let Content::Metadata(metadata) = &event.content {
            self.warn(metadata, event.direction)?;
        }
        Ok(())
    }

    /// Says which shapes a peer contradicts: payloads that do not fit are explained by it.
    fn warn(&mut self, metadata: &PeerMetadata, from: Direction) -> io::Result<()> {
        for (rpc, contradiction) in self.payloads.contradictions(metadata) {
            let rpc = shown(rpc.as_bytes(), TEXT_LIMIT);
            let warning = format!("{rpc}: by the menu {from}, {contradiction}");
            if self.warnings.len() < WARNINGS_LIMIT && !self.warnings.contains(&warning) {
                self.out.flush()?;
                eprintln!("rpc: {warning}");
                self.warnings.insert(warning);
            }
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
