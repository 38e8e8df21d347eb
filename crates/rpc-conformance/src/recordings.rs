//! One recording: decoded wholly in both directions, written again as it was, and a conversation
//! that two peers of its version can have.

mod calls;
mod payloads;
mod sent;

use bin_prot::BinWrite;
use rpc_testkit::recording::{Data, Recording, Side};
use rpc_wire::conversation::{Content, Conversation, Direction, Event};
use rpc_wire::frame::{self, Frames};
use rpc_wire::handshake::PeerMetadata;
use rpc_wire::{Header, Message, ProtocolVersion};

use crate::compare;
use crate::report::{Checked, Problem};
use crate::types::Types;
use crate::vectors::message::check_rewritten;

/// Checks a recording.
pub(crate) fn check(recording: &Recording, types: &Types) -> Checked {
    check_ends(recording)?;
    let events = decode(recording)?;
    let version = check_version(recording, &events)?;
    let streams = Direction::BOTH.map(|direction| recording.stream(side(direction)));
    let [client, server] = &streams;
    let client = Spoken::new(Direction::FromClient, client, &events)?;
    let server = Spoken::new(Direction::FromServer, server, &events)?;
    for (this, opposite) in [(&client, &server), (&server, &client)] {
        this.check_rewritten()?;
        sent::check(this, version)?;
        calls::check(this, opposite)?;
        payloads::check(this, opposite, types)?;
    }
    Ok(())
}

/// The caller is the client: it opened the connection.
fn side(direction: Direction) -> Side {
    match direction {
        Direction::FromClient => Side::Caller,
        Direction::FromServer => Side::Callee,
    }
}

fn direction(side: Side) -> Direction {
    match side {
        Side::Caller => Direction::FromClient,
        Side::Callee => Direction::FromServer,
    }
}

fn name(direction: Direction) -> &'static str {
    match direction {
        Direction::FromClient => "caller",
        Direction::FromServer => "callee",
    }
}

/// Where in a recording something is: a byte of one direction.
fn place(direction: Direction, offset: u64) -> String {
    format!("{}, byte {offset}", name(direction))
}

/// Time goes forward, and each side ends once and says nothing afterwards.
fn check_ends(recording: &Recording) -> Checked {
    let times = recording.chunks.iter().map(|chunk| chunk.at_seconds);
    if !times.is_sorted() {
        return Err(Problem::Malformed("time goes backwards".to_owned()));
    }
    for direction in Direction::BOTH {
        let chunks = recording.chunks.iter();
        let mut chunks = chunks.filter(|chunk| chunk.from == side(direction));
        let has_ended = chunks.any(|chunk| chunk.data == Data::End);
        let found = match (has_ended, chunks.next()) {
            (true, None) => continue,
            (true, Some(_)) => "more after it",
            (false, _) => "none: the recording is cut off",
        };
        return Err(Problem::differs(name(direction), "an end", found));
    }
    Ok(())
}

/// All events, when the bytes are fed in the order of their capture.
fn decode(recording: &Recording) -> Checked<Vec<Event>> {
    let mut conversation = Conversation::default();
    let mut events = Vec::new();
    for chunk in &recording.chunks {
        let from = direction(chunk.from);
        match &chunk.data {
            Data::Bytes(bytes) => conversation.feed(from, bytes),
            Data::End => conversation.end(from),
        }
        while let Some(outcome) = conversation.next_event() {
            events.push(outcome.map_err(|error| {
                let causes =
                    std::iter::successors(Some(&error.cause as &dyn std::error::Error), |error| {
                        error.source()
                    });
                let causes: Vec<_> = causes.map(ToString::to_string).collect();
                let place = place(error.direction, error.offset);
                Problem::differs(place, "a message that makes sense", causes.join(": "))
            })?);
        }
    }
    Ok(events)
}

/// The version that both headers agree on, which has to be the recording's.
fn check_version(recording: &Recording, events: &[Event]) -> Checked<ProtocolVersion> {
    let version = events.iter().find_map(|event| match event.content {
        Content::Negotiated(version) => Some(version),
        _ => None,
    });
    let none = || Problem::differs("negotiation", "two headers", "fewer");
    let version = version.ok_or_else(none)?;
    compare::equal(
        "negotiated version",
        recording.wire_version,
        version.number(),
    )?;
    Ok(version)
}

/// What one side sent.
struct Spoken<'a> {
    direction: Direction,
    /// The body of each frame, and what was made of it.
    frames: Vec<(&'a [u8], &'a Event)>,
}

impl<'a> Spoken<'a> {
    /// Every byte of the stream belongs to an event.
    fn new(direction: Direction, stream: &'a [u8], events: &'a [Event]) -> Checked<Self> {
        let events = events.iter().filter(|event| {
            event.direction == direction && !matches!(event.content, Content::Negotiated(_))
        });
        let mut rest = Frames::new(stream, frame::DEFAULT_LIMIT);
        let frames: Vec<_> = rest.by_ref().flatten().zip(events).collect();
        let decoded: usize = frames.iter().map(|(_, event)| event.frame_bytes).sum();
        compare::equal(
            format!("{}, bytes decoded", name(direction)),
            stream.len(),
            decoded,
        )?;
        Ok(Self { direction, frames })
    }

    fn place(&self, event: &Event) -> String {
        place(self.direction, event.offset)
    }

    /// The messages after the header.
    fn messages(&self) -> impl Iterator<Item = Checked<(Message<'a>, &'a Event)>> {
        let messages = self
            .frames
            .iter()
            .filter(|(_, event)| !matches!(event.content, Content::Header(_)));
        messages.map(|(body, event)| {
            let message = Message::decode(body);
            let message =
                message.map_err(|error| Problem::differs(self.place(event), "a message", error))?;
            Ok((message, *event))
        })
    }

    /// What this side told of itself.
    fn metadata(&self) -> Option<&'a PeerMetadata> {
        self.frames
            .iter()
            .find_map(|(_, event)| match &event.content {
                Content::Metadata(metadata) => Some(metadata.as_ref()),
                _ => None,
            })
    }

    /// Each frame is written as it was.
    fn check_rewritten(&self) -> Checked {
        for (body, event) in &self.frames {
            let again = |value: &dyn Fn() -> Checked| {
                value().map_err(|problem| problem.within(self.place(event)))
            };
            match &event.content {
                Content::Header(_) => again(&|| rewritten(body, &Header::decode(body)))?,
                _ => again(&|| rewritten(body, &Message::decode(body)))?,
            }
        }
        Ok(())
    }
}

fn rewritten<T: BinWrite, E: std::fmt::Display>(body: &[u8], read: &Result<T, E>) -> Checked {
    match read {
        Ok(value) => check_rewritten(body, value),
        Err(error) => Err(Problem::differs("frame", "a message", error)),
    }
}
