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
//! - [`BinProt`](macro@BinProt) derives all three.
//! - [`dynamic`] reads and writes values of types that are known only at run time, from a shape.
//!
//! Readers refuse whatever would cost more than it is worth: see [`Limits`].
//!
//! [`encoding`] shows the bytes of every type. This crate knows nothing of RPCs, sockets or time.
//!
//! Names of pages such as *bin_prot* and *shapes* are those of `docs/spec` in the repository.
//!
//! The feature `json` adds the form of [dynamic values](dynamic::Value) as JSON, and the way back.
//!
//! # Which Rust type is which OCaml type
//!
//! | Rust | OCaml (shape) |
//! |---|---|
//! | `i64` | `int`: 63 bits, a value outside is a write error |
//! | `i8`, `i16`, `u16`, `u32`, `u64`, `usize` | `int`; a value that does not fit is an error |
//! | `i32` | `int32` |
//! | [`Int64`], [`Nativeint`], [`Int63`], [`Nat0`] | `int64`, `nativeint`, `int63`, `nat0` |
//! | [`Int8Bit`], [`Int16Bit`], [`Int32Bit`], [`Int64Bit`], [`Int32Bits`], [`Int64Bits`] | `int_8bit` … `int64_bits`: fixed size, little endian |
//! | [`Network16Int`], [`Network32Int`], [`Network32Int32`], [`Network64Int`], [`Network64Int64`] | `network16_int` …: fixed size, big endian |
//! | [`VariantInt`] | `variant_int` |
//! | `f64`, `bool`, `()`, [`Char`] | `float`, `bool`, `unit`, `char` |
//! | [`UnitV2`] | `unit_v2`, which takes no bytes |
//! | `String`, `&str`, [`ByteString`] | `string`; `ByteString` takes bytes that are no UTF-8 |
//! | `Vec<u8>`, `&[u8]` | `bytes` |
//! | [`bytes::Bytes`] | `bigstring` |
//! | [`shape::Digest`] | `Md5` |
//! | `Option<T>`, [`OrNull<T>`], [`Ref<T>`] | `option`, `or_null`, `ref` |
//! | `Result<T, E>` | `result` |
//! | `Vec<T>`, [`Array<T>`] | `list`, `array` (and `iarray`) |
//! | [`FloatArray`], [`FloatVec`], [`Float64Vec`], [`Float32Vec`] | `floatarray`, `vec`, `float64_vec`, `float32_vec` |
//! | [`Mat`], [`Float64Mat`], [`Float32Mat`] | `mat`, `float64_mat`, `float32_mat` |
//! | `(A, B)` … | tuples |
//! | `BTreeMap<K, V>`, `BTreeSet<T>` | Core's `Map` and `Set` |
//! | `HashMap<K, V>`, `HashSet<T>`, `VecDeque<T>` | Core's `Hashtbl`, `Hash_set` and `Queue` |
//! | [`Hashtbl<K, V>`] | bin_prot's own `hashtbl` |
//! | `Box<T>`, `Arc<T>` | `T` itself |
//! | [`Blob<T>`], [`OpaqueBlob`] | `Blob`, `Blob.Opaque` |
//! | [`Sexp`], [`Info`], [`InfoV1`] | `Sexp`, `Info` and `Error`, their version 1 |
//! | [`char`] | `Uchar` |
//! | [`library`] | other types of Core: times, dates, percents … |
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

mod blob;
mod container;
pub mod convert;
pub mod dynamic;
pub mod encoding;
mod error;
mod fixed;
mod hashed;
mod info;
mod integer;
pub mod library;
mod limits;
mod packed;
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

pub use blob::{Blob, IgnoredBlob, OpaqueBlob};
pub use container::{Array, OrNull};
pub use error::{ReadError, ReadErrorKind, WriteError};
pub use fixed::{
    Int8Bit, Int16Bit, Int32Bit, Int32Bits, Int64Bit, Int64Bits, Network16Int, Network32Int,
    Network32Int32, Network64Int, Network64Int64, VariantInt,
};
pub use hashed::Hashtbl;
pub use info::{Info, InfoV1, SourcePosition};
pub use integer::{Int63, Int64, Nat0, Nativeint, nat0_size};
pub use limits::{DEFAULT_DEPTH, Limits};
pub use packed::{Float32Mat, Float32Vec, Float64Mat, Float64Vec, FloatArray, FloatVec, Mat};
pub use pointer::Ref;
pub use read::{BinRead, BinReadOwned, Reader, from_slice};
pub use scalar::{Char, UnitV2};
#[doc(inline)]
pub use sexp::Sexp;
#[doc(inline)]
pub use shape::BinShape;
pub use text::ByteString;
pub use write::{BinWrite, to_vec, write_nat0};
