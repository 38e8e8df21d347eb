//! Conversations: both directions of a stream, in any pieces and in any order.

use std::collections::HashSet;

use rpc_wire::conversation::{Cause, Content, Conversation, Direction, Error, Event, QueryForm};

use crate::chance::Chance;
use crate::memory::bounded;
use crate::pieces;

/// What was seen of one direction: its messages, and its error if it made no sense.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    events: Vec<Event>,
    error: Option<Error>,
}

/// Takes [pieces] of a conversation and decodes them as they are, in smaller pieces, and one
/// direction after the other.
///
/// # Panics
/// The order matters, where no id is used for two queries; or messages and bytes do not add up.
pub fn conversation(bytes: &[u8]) {
    let pieces = pieces::decode(bytes);
    let straight = bounded(bytes.len(), || {
        let mut conversation = Conversation::default();
        decode(&mut conversation, pieces.iter().copied())
    });
    check_offsets(&straight, &pieces);

    let mut chance = Chance::of(bytes);
    let smaller: Vec<_> = pieces
        .iter()
        .flat_map(|(direction, piece)| {
            chance
                .split(piece)
                .into_iter()
                .map(|piece| (*direction, piece))
        })
        .collect();
    let (first, second): (Vec<_>, Vec<_>) = smaller
        .iter()
        .copied()
        .partition(|(direction, _)| *direction == Direction::FromServer);
    let one_after_the_other = || first.iter().chain(&second).copied();

    let decoded_smaller = decode(&mut Conversation::default(), smaller.iter().copied());
    let decoded_first = decode(&mut Conversation::default(), one_after_the_other());
    let is_agreed = !straight.iter().any(|seen| {
        let error = seen.error.as_ref();
        error.is_some_and(|error| matches!(error.cause, Cause::Negotiation(_)))
    });
    if ids_are_used_once(&straight) {
        assert_eq!(decoded_smaller, straight);
        // Whose header was the second one may be another matter now.
        if is_agreed {
            assert_eq!(decoded_first.map(unnegotiated), straight.map(unnegotiated));
        }
    } else {
        assert_eq!(frames(&decoded_smaller), frames(&straight));
        if is_agreed {
            assert_eq!(frames(&decoded_first), frames(&straight));
        }
    }

    // With little room for what waits, and for queries, everything is still told once.
    let mut cramped = Conversation::default()
        .waiting_limit(32)
        .open_queries_limit(1)
        .frame_limit(2_000);
    let decoded = bounded(bytes.len(), || decode(&mut cramped, one_after_the_other()));
    check_offsets(&decoded, &pieces);
    assert!(
        Direction::BOTH
            .iter()
            .all(|direction| cramped.open_queries(*direction) <= 1)
    );
}

/// What is seen of the client, and of the server.
fn decode<'a>(
    conversation: &mut Conversation,
    pieces: impl IntoIterator<Item = (Direction, &'a [u8])>,
) -> [Seen; 2] {
    let mut seen = <[Seen; 2]>::default();
    for (direction, piece) in pieces {
        conversation.feed(direction, piece);
        drain(conversation, &mut seen);
    }
    for direction in Direction::BOTH {
        conversation.end(direction);
    }
    drain(conversation, &mut seen);
    for direction in Direction::BOTH {
        assert_eq!(conversation.waits_for(direction), None, "{direction}");
    }
    seen
}

fn index(direction: Direction) -> usize {
    match direction {
        Direction::FromClient => 0,
        Direction::FromServer => 1,
    }
}

fn drain(conversation: &mut Conversation, seen: &mut [Seen; 2]) {
    while let Some(outcome) = conversation.next_event() {
        match outcome {
            Ok(event) => {
                let seen = &mut seen[index(event.direction)];
                assert_eq!(seen.error, None, "goes on after its error");
                seen.events.push(event);
            }
            Err(error) => {
                let seen = &mut seen[index(error.direction)];
                assert_eq!(seen.error, None, "two errors of one direction");
                assert!(error.offset >= error.frame_offset);
                assert!(!error.cause.to_string().is_empty());
                seen.error = Some(error);
            }
        }
    }
}

/// Frames follow each other without a gap, up to the end or to where the error is.
fn check_offsets(seen: &[Seen; 2], pieces: &[(Direction, &[u8])]) {
    for direction in Direction::BOTH {
        let Seen { events, error } = &seen[index(direction)];
        let mut offset = 0;
        for event in events {
            if let Content::Negotiated(_) = event.content {
                assert_eq!(event.frame_bytes, 0);
                continue;
            }
            assert_eq!(event.offset, offset);
            offset += event.frame_bytes as u64;
        }
        let fed = pieces.iter().filter(|(other, _)| *other == direction);
        let fed: usize = fed.map(|(_, piece)| piece.len()).sum();
        match error {
            None => assert_eq!(offset, fed as u64),
            // Headers that do not agree are the second one's error, which was told itself.
            Some(error) => assert!(error.frame_offset <= offset && offset <= fed as u64),
        }
    }
}

/// Whether no direction has two queries with the same id, and so no response two places to go.
fn ids_are_used_once(seen: &[Seen; 2]) -> bool {
    seen.iter().all(|seen| {
        let mut ids = HashSet::new();
        seen.events.iter().all(|event| match &event.content {
            Content::Query(query) if query.form != QueryForm::Abort => ids.insert(query.id),
            _ => true,
        })
    })
}

/// Without the event that no frame brought.
fn unnegotiated(mut seen: Seen) -> Seen {
    seen.events.retain(|event| event.frame_bytes > 0);
    seen
}

/// Where the messages were.
fn frames(seen: &[Seen; 2]) -> [Vec<(u64, usize)>; 2] {
    seen.each_ref().map(|seen| {
        let events = seen.events.iter().filter(|event| event.frame_bytes > 0);
        events
            .map(|event| (event.offset, event.frame_bytes))
            .collect()
    })
}
