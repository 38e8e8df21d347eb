//! What the simulation's RPCs are and carry: every update says which stream it belongs to, which
//! one of it it is, and what it extends.

use bin_prot::shape::Shape;
use bin_prot::{BinProt, BinShape, BinWrite, WriteError};
use rpc_core::{PipeRpc, StateRpc};

/// A state and its updates, in two versions that differ in their types.
pub static BOOK_1: StateRpc<Question, Snapshot, Update, String> = StateRpc::new("book", 1);
/// The same, with a bound on what it holds for its reader.
pub static PUSHING_BOOK_1: StateRpc<Question, Snapshot, Update, String> =
    StateRpc::new("book", 1).client_pushes_back();
/// See [`BOOK_1`].
pub static BOOK_2: StateRpc<Question, Snapshot2, Update, String> = StateRpc::new("book", 2);
/// The same updates without a state.
pub static TICKS: PipeRpc<Question, Update, String> = PipeRpc::new("ticks", 1);

/// The three streams as the server defines them: it may send what is no update.
pub static SERVED_BOOK_1: StateRpc<Question, Snapshot, Sent, String> = StateRpc::new("book", 1);
/// See [`SERVED_BOOK_1`].
pub static SERVED_BOOK_2: StateRpc<Question, Snapshot2, Sent, String> = StateRpc::new("book", 2);
/// See [`SERVED_BOOK_1`].
pub static SERVED_TICKS: PipeRpc<Question, Sent, String> = PipeRpc::new("ticks", 1);

/// The query: who asks, and something that has to be the same in every attempt (rule D-SU-2).
#[derive(BinProt, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The number of the subscription.
    pub subscription: u32,
    /// A function of it.
    pub token: i64,
}

impl Question {
    /// What the subscription with this number asks.
    pub fn new(subscription: u32) -> Self {
        let mixed = i64::from(subscription).wrapping_mul(0x9e37_79b9);
        Self {
            subscription,
            token: mixed % 1_000_003,
        }
    }

    /// Whether it is what its subscription has to ask.
    pub fn is_intact(self) -> bool {
        self == Self::new(self.subscription)
    }
}

/// What is known at the beginning of a stream.
#[derive(BinProt, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The stream's number, which no other stream of the simulation has.
    pub stream: i64,
    /// What the server has published so far.
    pub number: i64,
}

/// Version 2 of [`Snapshot`].
#[derive(BinProt, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot2 {
    /// Always 2.
    pub version: i64,
    /// What version 1 has.
    pub snapshot: Snapshot,
}

/// One update.
#[derive(BinProt, Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The stream's number.
    pub stream: i64,
    /// Which update of the stream it is, from 0.
    pub index: i64,
    /// The first update that has been merged into it; by itself, if there is none.
    pub first: i64,
    /// What is published with it.
    pub number: i64,
    /// Bytes that follow from the two numbers before.
    pub filling: Vec<u8>,
}

impl Update {
    /// Update `index` of `stream`.
    pub fn new(stream: i64, index: i64, number: i64) -> Self {
        let length = match (stream + index * 7) % 97 {
            0 => 3000,
            short => short % 40,
        };
        let first = stream.wrapping_mul(31).wrapping_add(index * 7);
        let filling = (0..length).map(|i| (first + i).to_le_bytes()[0]);
        Self {
            stream,
            index,
            first: index,
            number,
            filling: filling.collect(),
        }
    }

    /// Whether the bytes are those that were sent.
    pub fn is_intact(&self) -> bool {
        let sent = Self::new(self.stream, self.index, self.number);
        self.filling == sent.filling && self.first <= self.index
    }

    /// Takes the next one in. What does not belong together is damaged by it.
    pub fn merge(&mut self, next: Self) {
        let fits = next.first == self.index + 1
            && next.stream == self.stream
            && next.number - self.number == next.index - self.index;
        let first = if fits { self.first } else { i64::MAX };
        *self = Self { first, ..next };
    }
}

/// What a server sends as an update.
#[derive(Clone, Debug)]
pub enum Sent {
    /// One.
    Update(Update),
    /// Bytes that are none.
    Garbage,
}

impl BinWrite for Sent {
    fn bin_size(&self) -> usize {
        match self {
            Self::Update(update) => update.bin_size(),
            Self::Garbage => 1,
        }
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        match self {
            Self::Update(update) => update.bin_write(buffer),
            Self::Garbage => {
                buffer.push(0xff);
                Ok(())
            }
        }
    }
}

impl bin_prot::BinRead<'_> for Sent {
    fn bin_read(reader: &mut bin_prot::Reader<'_>) -> Result<Self, bin_prot::ReadError> {
        Update::bin_read(reader).map(Self::Update)
    }
}

impl BinShape for Sent {
    fn bin_shape() -> Shape {
        Update::bin_shape()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_bytes_are_noticed() {
        let update = Update::new(3, 4, 50);
        assert!(update.is_intact());
        let mut changed = update.clone();
        changed.filling[0] ^= 1;
        assert!(!changed.is_intact());
        let mut merged = update;
        merged.merge(Update::new(3, 5, 51));
        assert!(merged.is_intact() && (merged.first, merged.index) == (4, 5));
        merged.merge(Update::new(3, 7, 53));
        assert!(!merged.is_intact());
        let mut question = Question::new(9);
        assert!(question.is_intact());
        question.token += 1;
        assert!(!question.is_intact());
    }

    #[test]
    fn garbage_is_no_update() {
        let bytes = bin_prot::to_vec(&Sent::Garbage).unwrap();
        assert!(bin_prot::from_slice::<Update>(&bytes).is_err());
        let update = Update::new(1, 0, 1);
        let bytes = bin_prot::to_vec(&Sent::Update(update.clone())).unwrap();
        assert_eq!(bin_prot::from_slice::<Update>(&bytes).unwrap(), update);
    }
}
