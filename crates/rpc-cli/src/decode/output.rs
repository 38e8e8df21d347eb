//! Where the lines go, and in which form.

use std::io::{self, Write};

use rpc_wire::conversation::Event;

use super::{json, line};
use crate::args::PayloadForm;

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
    payload: Option<PayloadForm>,
}

impl<W: Write> Output<W> {
    pub(crate) fn new(out: W, is_json: bool, payload: Option<PayloadForm>) -> Self {
        Self {
            out,
            is_json,
            payload,
        }
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
        let line = if self.is_json {
            json::object(event, around, self.payload).to_string()
        } else {
            line::of(event, around, self.payload)
        };
        writeln!(self.out, "{line}")
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
