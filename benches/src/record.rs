//! A small record of text, two numbers and bytes: what a payload often is.

use bin_prot::{BinProt, BinRead};
use bincode::{BorrowDecode, Decode, Encode};
use serde::{Deserialize, Serialize};

/// The record in the formats that share a type.
#[derive(Clone, Debug, PartialEq, BinProt, Encode, Decode, Serialize, Deserialize)]
pub struct Record {
    /// Text.
    pub name: String,
    /// A number of one byte.
    pub small: i64,
    /// A number of a few bytes.
    pub large: i64,
    #[serde(with = "serde_bytes")]
    /// Bytes.
    pub body: Vec<u8>,
}

/// The same, borrowed from its encoding.
#[derive(Debug, BinRead, BorrowDecode, Deserialize)]
pub struct RecordRef<'a> {
    /// Text.
    pub name: &'a str,
    /// A number of one byte.
    pub small: i64,
    /// A number of a few bytes.
    pub large: i64,
    /// Bytes.
    pub body: &'a [u8],
}

impl RecordRef<'_> {
    /// An owned copy.
    pub fn to_record(&self) -> Record {
        Record {
            name: self.name.to_owned(),
            small: self.small,
            large: self.large,
            body: self.body.to_owned(),
        }
    }
}

impl Record {
    /// The record that is measured.
    pub fn sample() -> Self {
        Self {
            name: "instrument-7".to_owned(),
            small: 42,
            large: 1_000_000,
            body: (0..32).collect(),
        }
    }
}
