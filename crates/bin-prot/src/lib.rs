//! The `bin_prot` binary encoding: OCaml values as bytes, and back.
//!
//! This is the encoding of every byte that an Async_rpc peer sends. A value's encoding depends
//! only on the value and its type: no framing, no type tags, no padding. Composite values are
//! their parts, one after the other.
//!
//! - [`BinWrite`] tells a value's exact size, then appends it to a buffer.
//! - [`BinRead`] reads a value through a [`Reader`], which does every length check. Values may
//!   borrow from the input (`&str`, `&[u8]`).
//! - [`BinShape`] describes a type's structure as the reference does, so that both ends can
//!   compare a 16-byte [`Digest`](shape::Digest) of it.
//!
//! This crate knows nothing of RPCs, sockets or time.
//!
//! # Which Rust type is which OCaml type
//!
//! | Rust | OCaml (shape) |
//! |---|---|
//! | `i64` | `int`: 63 bits, a value outside is a write error |
//! | `i8`, `i16`, `u16`, `u32`, `u64`, `usize` | `int`; a value that does not fit is an error |
//! | `i32` | `int32` |
//! | [`Int64`], [`Nativeint`], [`Int63`], [`Nat0`] | `int64`, `nativeint`, `int63`, `nat0` |
//! | `f64`, `bool`, `()`, [`Char`] | `float`, `bool`, `unit`, `char` |
//! | `String`, `&str`, [`ByteString`] | `string`; `ByteString` takes bytes that are no UTF-8 |
//! | `Vec<u8>`, `&[u8]` | `bytes` |
//! | [`bytes::Bytes`] | `bigstring` |
//! | `Option<T>`, [`OrNull<T>`] | `option`, `or_null` |
//! | `Result<T, E>` | `result` |
//! | `Vec<T>`, [`Array<T>`] | `list`, `array` |
//! | `(A, B)` … | tuples |
//! | `BTreeMap<K, V>`, `BTreeSet<T>` | Core's `Map` and `Set` |
//! | `Box<T>`, `Arc<T>` | `T` itself |
//! | [`Sexp`], [`Info`] | `Sexp`, `Info` and `Error` |
//!
//! # Examples
//!
//! ```
//! use bin_prot::{from_slice, to_vec};
//!
//! let bytes = to_vec(&(1_i64, "a".to_owned()))?;
//! assert_eq!(bytes, [0x01, 0x01, b'a']);
//! let (number, text): (i64, &str) = from_slice(&bytes)?;
//! assert_eq!((number, text), (1, "a"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Types of one's own get all three traits by [`BinProt`](macro@BinProt), which also describes
//! the attributes:
//!
//! ```
//! use bin_prot::{BinProt, BinShape, from_slice, to_vec};
//!
//! #[derive(BinProt, Debug, PartialEq)]
//! enum Figure {
//!     Origin,
//!     CircleOf { radius: f64, name: String },
//!     Group(Vec<i64>),
//! }
//!
//! let bytes = to_vec(&Figure::Group(vec![7, 8]))?;
//! assert_eq!(bytes, [2, 2, 7, 8]);
//! assert_eq!(from_slice::<Figure>(&bytes)?, Figure::Group(vec![7, 8]));
//! assert_eq!(
//!     Figure::bin_shape().canonical()?.to_string(),
//!     "(Variant((Origin())(Circle_of((Record((radius(Base float()))(name(Base string()))))))\
//!      (Group((Base list((Base int())))))))"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![warn(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

// Lets the derive's generated paths (`::bin_prot::…`) resolve inside this crate too.
extern crate self as bin_prot;

mod container;
mod error;
mod info;
mod integer;
mod pointer;
mod product;
mod read;
mod scalar;
pub mod sexp;
pub mod shape;
mod text;
pub mod variant;
mod write;

pub use bin_prot_derive::{BinProt, BinRead, BinShape, BinWrite};

pub use container::{Array, OrNull};
pub use error::{ReadError, ReadErrorKind, WriteError};
pub use info::{Info, SourcePosition};
pub use integer::{Int63, Int64, Nat0, Nativeint, nat0_size};
pub use read::{BinRead, BinReadOwned, DEFAULT_DEPTH, Reader, from_slice};
pub use scalar::Char;
pub use sexp::Sexp;
pub use shape::BinShape;
pub use text::ByteString;
pub use write::{BinWrite, to_vec, write_nat0};
