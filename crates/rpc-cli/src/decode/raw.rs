//! Captures that hold the bytes of one direction and nothing else.

use std::io::{Read, Write};

use anyhow::Context;
use rpc_wire::conversation::Direction;

use super::connections::Connections;
use super::input::Input;

/// What is read at once; memory stays small however long the files are.
const CHUNK_BYTES: usize = 64 * 1024;

/// Decodes what the client sent and, from a second file, what the server sent. There are no times,
/// so the two are read in the order in which they need each other.
pub(crate) fn decode(
    client: Input,
    server: Option<Input>,
    connections: &mut Connections<impl Write>,
) -> anyhow::Result<()> {
    connections.open(0, None)?;
    let mut client = Stream::new(client, Direction::FromClient);
    let Some(server) = server else {
        connections.end(0, Direction::FromServer, None)?;
        while client.advance(connections)? {}
        return Ok(());
    };
    let mut server = Stream::new(server, Direction::FromServer);
    while !client.is_done || !server.is_done {
        let client_can_go_on = !client.is_done && !connections.waits(0, client.from);
        let next = if client_can_go_on || server.is_done {
            &mut client
        } else {
            &mut server
        };
        next.advance(connections)?;
    }
    Ok(())
}

struct Stream {
    input: Input,
    from: Direction,
    chunk: Vec<u8>,
    is_done: bool,
}

impl Stream {
    fn new(input: Input, from: Direction) -> Self {
        Self {
            input,
            from,
            chunk: vec![0; CHUNK_BYTES],
            is_done: false,
        }
    }

    /// Decodes the next bytes; false at the end.
    fn advance(&mut self, connections: &mut Connections<impl Write>) -> anyhow::Result<bool> {
        // Reading may wait for a capture that still goes on.
        connections.flush()?;
        let read = self.input.read(&mut self.chunk);
        let read = read.with_context(|| format!("cannot read {}", self.input.name()))?;
        let fed = match &self.chunk[..read] {
            [] => {
                self.is_done = true;
                connections.end(0, self.from, None)
            }
            bytes => connections.feed(0, self.from, bytes, None),
        };
        fed.with_context(|| self.input.name().to_owned())?;
        Ok(!self.is_done)
    }
}
