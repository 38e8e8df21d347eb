//! What the adversary can do.

use std::fmt;
use std::time::Duration;

use super::TRY_AGAIN;
use crate::names::{ConsumerName, DurableName, ServerName};

/// One fault, or something that a consumer is made to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The connection's present link breaks; both ends are told.
    Cut(DurableName),
    /// The link ends as if each side had closed it: what is under way still arrives.
    Finish(DurableName),
    /// Nothing goes through the link any more, in these directions, and nobody is told.
    Silence(DurableName, Direction),
    /// What is sent over the link arrives late, nothing being lost.
    Hold(DurableName, Duration),
    /// Something happens to a server, for some time.
    Trouble(ServerName, Trouble, Duration),
    /// Something happens to a server, and that is that.
    Blow(ServerName, Blow),
    /// A consumer does something other than reading.
    Consumer(ConsumerName, Whim),
}

/// Directions of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
    /// Both.
    Both,
}

/// What can be wrong with a server for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is gone, and back afterwards, offering what its menu says.
    Down(Death, Menu),
    /// It is gone, and back afterwards at another address, of which clients hear this much later.
    Moves(Death, Duration),
    /// It neither reads nor writes.
    Frozen,
    /// Its links transport this many bytes in a second.
    Slow(u32),
    /// Its links take this much longer.
    Far(Duration),
    /// Connecting to it fails.
    Refuses,
    /// Connecting to it neither succeeds nor fails.
    Ignores,
    /// Whoever connects hears nothing from it.
    Mute,
    /// It answers with an error of its own.
    UserErrors,
    /// Its handlers raise.
    Raises,
    /// It does not answer.
    Hangs,
    /// Its streams end as soon as they have begun.
    EndsAtOnce,
    /// It publishes nothing.
    Stuck,
}

/// What can happen to a server at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// It ends every stream that it serves.
    EndsStreams,
    /// It sends something that is no update, on every stream.
    Garbles,
    /// It closes every connection and says why.
    ClosesConnections,
}

/// How a server goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Its links break, and its clients are told.
    Crash,
    /// Its clients are told nothing, until they send something after it is back.
    PowerCut,
    /// It closes its connections first.
    Shutdown,
}

/// Which of the RPCs it implements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Menu {
    /// Version 1 of the state RPC.
    pub book_1: bool,
    /// Version 2 of it.
    pub book_2: bool,
    /// The pipe RPC.
    pub ticks: bool,
}

impl Menu {
    /// All of them.
    pub const ALL: Self = Self {
        book_1: true,
        book_2: true,
        ticks: true,
    };
}

/// What a consumer does other than reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whim {
    /// Reads nothing for this long.
    Pauses(Duration),
    /// Closes its subscription, and subscribes again this much later.
    Closes(Duration),
    /// Drops its subscription, and subscribes again this much later.
    Drops(Duration),
    /// Drops its subscription, subscribes again, and drops that this much later, while its query is
    /// on its way.
    TurnsBack(Duration),
    /// Asks for a new stream.
    Resubscribes,
}

impl Action {
    /// How long it lasts.
    pub fn lasts(&self) -> Duration {
        match *self {
            Self::Hold(_, lasts) => lasts,
            // Clients may hear of the new address after the server is back.
            Self::Trouble(_, Trouble::Moves(_, late), lasts) => lasts + late,
            Self::Trouble(_, _, lasts) => lasts,
            Self::Consumer(_, Whim::Pauses(lasts) | Whim::Closes(lasts) | Whim::Drops(lasts)) => {
                lasts
            }
            Self::Consumer(_, Whim::TurnsBack(stays)) => stays + TRY_AGAIN,
            Self::Cut(_)
            | Self::Finish(_)
            | Self::Silence(..)
            | Self::Blow(..)
            | Self::Consumer(_, Whim::Resubscribes) => Duration::ZERO,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(durable) => write!(f, "{durable} is cut"),
            Self::Finish(durable) => write!(f, "{durable} is ended from both sides"),
            Self::Silence(durable, direction) => match direction {
                Direction::Up => write!(f, "{durable} loses what it sends"),
                Direction::Down => write!(f, "{durable} loses what is sent to it"),
                Direction::Both => write!(f, "{durable} is half-open"),
            },
            Self::Hold(durable, lasts) => write!(f, "{durable} is held up for {lasts:?}"),
            Self::Trouble(server, trouble, lasts) => {
                write!(f, "{server} {trouble} for {lasts:?}")
            }
            Self::Blow(server, blow) => f.write_str(&match blow {
                Blow::EndsStreams => format!("{server} ends its streams"),
                Blow::Garbles => format!("{server} sends what is no update"),
                Blow::ClosesConnections => format!("{server} closes its connections"),
            }),
            Self::Consumer(consumer, whim) => match whim {
                Whim::Pauses(lasts) => write!(f, "{consumer} does not read for {lasts:?}"),
                Whim::Closes(lasts) => write!(f, "{consumer} closes, and is back after {lasts:?}"),
                Whim::Resubscribes => write!(f, "{consumer} asks for a new stream"),
                Whim::Drops(lasts) => write!(f, "{consumer} drops, and is back after {lasts:?}"),
                Whim::TurnsBack(stays) => {
                    write!(
                        f,
                        "{consumer} drops, is back, and drops again after {stays:?}"
                    )
                }
            },
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down(death, menu) => write!(f, "{death} (then offers {menu}), is down"),
            Self::Moves(death, late) => {
                write!(
                    f,
                    "{death} and moves, which is known {late:?} later, is down"
                )
            }
            Self::Frozen => f.write_str("is frozen"),
            Self::Slow(rate) => write!(f, "transports {rate} bytes/s"),
            Self::Far(latency) => write!(f, "is {latency:?} farther away"),
            Self::Refuses => f.write_str("refuses connections"),
            Self::Ignores => f.write_str("ignores who connects"),
            Self::Mute => f.write_str("is mute to who connects"),
            Self::UserErrors => f.write_str("answers user errors"),
            Self::Raises => f.write_str("raises"),
            Self::Hangs => f.write_str("does not answer"),
            Self::EndsAtOnce => f.write_str("ends streams at once"),
            Self::Stuck => f.write_str("publishes nothing"),
        }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crash => "crashes",
            Self::PowerCut => "loses power",
            Self::Shutdown => "shuts down",
        })
    }
}

impl fmt::Display for Menu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offered = [
            (self.book_1, "book 1"),
            (self.book_2, "book 2"),
            (self.ticks, "ticks 1"),
        ];
        let names = offered.iter().filter(|(offers, _)| *offers);
        let names: Vec<_> = names.map(|(_, name)| *name).collect();
        f.write_str(&if names.is_empty() {
            "nothing".to_owned()
        } else {
            names.join(", ")
        })
    }
}
