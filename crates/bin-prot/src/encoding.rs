//! The bytes of every type: a reference page, without items (*bin_prot* §2 to §11).
//!
//! A value's encoding depends only on the value and its type. Parts follow each other without
//! padding, alignment or type tags. In the tables offsets and widths are in bytes, LE is little
//! endian and BE big endian; `‖` separates parts that follow each other.
//!
//! # Integers of variable size
//!
//! OCaml's `int` is `i64` here, of which it takes 63 bits: −2^62 to 2^62−1. A value outside is a
//! write error, and never truncated. [`Int63`](crate::Int63) has the same encoding,
//! [`Int64`](crate::Int64) and [`Nativeint`](crate::Nativeint) one of all 64 bits, `i32` one of
//! 32. Narrower Rust integers and unsigned ones are `int`s too; what does not fit is an error.
//!
//! ```text
//! offset  width  meaning
//!      0  1      00 to 7f: the value itself, 0 to 127
//!                ff: 1 byte follows, LE, negative
//!                fe: 2 bytes follow, LE
//!                fd: 4 bytes follow, LE
//!                fc: 8 bytes follow, LE
//!                80 to fb: never valid
//!      1  0 to 8 the value in two's complement
//! ```
//!
//! A *nat0* ([`Nat0`](crate::Nat0), and every length and count) has the same codes but for `ff`,
//! and what follows them is unsigned: 0 to 2^62−1. Writers choose the shortest form, readers
//! accept longer ones.
//!
//! ```
//! use bin_prot::{Nat0, from_slice, to_vec};
//!
//! assert_eq!(to_vec(&127_i64)?, [0x7f]);
//! assert_eq!(to_vec(&128_i64)?, [0xfe, 0x80, 0x00]);
//! assert_eq!(to_vec(&-1_i64)?, [0xff, 0xff]);
//! assert_eq!(to_vec(&32_768_i64)?, [0xfd, 0x00, 0x80, 0x00, 0x00]);
//! assert_eq!(to_vec(&Nat0(32_768))?, [0xfe, 0x00, 0x80]);
//! assert_eq!(to_vec(&(1_i64 << 31))?, [0xfc, 0, 0, 0, 0x80, 0, 0, 0, 0]);
//! // A longer form than is needed.
//! assert_eq!(from_slice::<i64>(&[0xfe, 0x05, 0x00])?, 5);
//! // One more than the 63 bits hold.
//! assert!(to_vec(&(1_i64 << 62)).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Integers of a fixed size
//!
//! No code byte; no two of them are interchangeable, nor any with `int`. A number that its type
//! does not hold cannot be put in, or is a write error.
//!
//! ```text
//! width  order  values              type
//! 1             0 to 255            Int8Bit
//! 2      LE     0 to 65,535         Int16Bit
//! 2      BE     0 to 65,535         Network16Int
//! 4      LE     −2^31 to 2^31−1     Int32Bit, Int32Bits
//! 4      BE     −2^31 to 2^31−1     Network32Int, Network32Int32
//! 8      LE     −2^62 to 2^62−1     Int64Bit
//! 8      BE     −2^62 to 2^62−1     Network64Int
//! 8      LE     −2^63 to 2^63−1     Int64Bits
//! 8      BE     −2^63 to 2^63−1     Network64Int64
//! 4      LE     −2^30 to 2^30−1     VariantInt, as 2n + 1
//! ```
//!
//! ```
//! use bin_prot::{Int16Bit, Int64Bit, Network32Int, to_vec};
//!
//! assert_eq!(to_vec(&Int16Bit(258))?, [0x02, 0x01]);
//! assert_eq!(to_vec(&Network32Int(0x0102_0304))?, [0x01, 0x02, 0x03, 0x04]);
//! assert!(Int16Bit::try_from(65_536_i64).is_err());
//! assert!(to_vec(&Int64Bit(i64::MAX)).is_err());
//! # Ok::<(), bin_prot::WriteError>(())
//! ```
//!
//! # Unit, bool, char, float
//!
//! ```text
//! width  meaning
//! 1      unit: 00
//! 0      unit_v2
//! 1      bool: 00 for false, 01 for true
//! 1      char: the byte
//! 8      float: IEEE 754 binary64, LE
//! ```
//!
//! ```
//! use bin_prot::{Char, UnitV2, to_vec};
//!
//! assert_eq!(to_vec(&((), true, Char(b'A'), UnitV2))?, [0x00, 0x01, 0x41]);
//! assert_eq!(to_vec(&1.0)?, [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
//! # Ok::<(), bin_prot::WriteError>(())
//! ```
//!
//! # Strings
//!
//! OCaml's strings are byte strings. `String` and `&str` are read from the ones that are UTF-8,
//! [`ByteString`](crate::ByteString) from all of them. `bytes` (`Vec<u8>`, `&[u8]`) and
//! `bigstring` ([`bytes::Bytes`]) look the same.
//!
//! ```text
//! offset     width      meaning
//!      0     1, 3, 5, 9 N, a nat0
//!                       then
//!            N          the bytes
//! ```
//!
//! ```
//! use bin_prot::{ByteString, ReadErrorKind, from_slice, to_vec};
//!
//! assert_eq!(to_vec("hello")?, b"\x05hello");
//! assert_eq!(from_slice::<&str>(b"\x05hello")?, "hello");
//! assert_eq!(from_slice::<&str>(b"\x01\xff").unwrap_err().kind, ReadErrorKind::NotUtf8);
//! assert_eq!(from_slice::<ByteString>(b"\x01\xff")?.as_bytes(), [0xff]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Options, results, lists, maps
//!
//! [`OrNull`](crate::OrNull) has the bytes of an option, [`Array`](crate::Array) those of a list;
//! only their shapes differ. Sets are lists of their elements and maps lists of their entries,
//! written in increasing order and read in any; those of `HashSet` and `HashMap` are written in
//! whatever order they have. An element or key that comes twice is refused.
//!
//! ```text
//! 00              None, Null
//! 01 ‖ value      Some, This
//!
//! 00 ‖ value      Ok
//! 01 ‖ value      Error
//!
//! offset  width       meaning
//!      0  1, 3, 5, 9  N, a nat0
//!                     then
//!         …           N elements; of a map N times key ‖ value
//! ```
//!
//! ```
//! use std::collections::BTreeMap;
//! use bin_prot::{OrNull, from_slice, to_vec};
//!
//! assert_eq!(to_vec(&Some(Some(5_i64)))?, [1, 1, 5]);
//! assert_eq!(to_vec(&OrNull(None::<i64>))?, [0]);
//! assert_eq!(to_vec(&Err::<(), i64>(7))?, [1, 7]);
//! assert_eq!(to_vec(&vec![1_i64, 2, 3])?, [3, 1, 2, 3]);
//! let map = BTreeMap::from([(1_i64, 2_i64), (2, 3)]);
//! assert_eq!(to_vec(&map)?, [2, 1, 2, 2, 3]);
//! assert_eq!(from_slice::<BTreeMap<i64, i64>>(&[2, 2, 3, 1, 2])?, map);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Tuples and records
//!
//! The components, first to last (here at most 12 of a tuple; a derived tuple struct may have more);
//! the fields, in the order of their declaration. Nothing else: no count, no names. `Box`, `Arc` and references leave no trace, as OCaml's `lazy_t` leaves none;
//! a [`Ref`](crate::Ref) only one in the shape.
//!
//! ```text
//! offset  width  meaning
//!      0  …      the first component
//!      …  …      the second one, and so on
//! ```
//!
//! ```
//! use bin_prot::{BinProt, to_vec};
//!
//! #[derive(BinProt)]
//! struct Star {
//!     name: String,
//!     magnitude: i64,
//! }
//!
//! assert_eq!(to_vec(&("Vega", 0_i64))?, b"\x04Vega\x00");
//! let star = Star { name: "Vega".into(), magnitude: 0 };
//! assert_eq!(to_vec(&Box::new(star))?, b"\x04Vega\x00");
//! # Ok::<(), bin_prot::WriteError>(())
//! ```
//!
//! # Variants
//!
//! The constructor's number, from 0 in the order of declaration, then its arguments. A type with
//! more than 256 constructors has tags of two bytes. The fields of an inline record are written
//! as arguments.
//!
//! ```text
//! offset  width   meaning
//!      0  1 or 2  the constructor's number, LE
//!      …  …       its arguments, first to last
//! ```
//!
//! ```
//! use bin_prot::{BinProt, to_vec};
//!
//! #[derive(BinProt)]
//! enum Figure {
//!     Point,
//!     Square(i64),
//!     Rectangle { width: i64, height: i64 },
//! }
//!
//! assert_eq!(to_vec(&Figure::Point)?, [0]);
//! assert_eq!(to_vec(&Figure::Square(5))?, [1, 5]);
//! assert_eq!(to_vec(&Figure::Rectangle { width: 3, height: 4 })?, [2, 3, 4]);
//! # Ok::<(), bin_prot::WriteError>(())
//! ```
//!
//! # Polymorphic variants
//!
//! Four bytes that are made of the constructor's name, wherever and with whatever others it is
//! declared; then its argument, if it has one. See [`variant`](crate::variant).
//!
//! ```text
//! offset  width  meaning
//!      0  4      2h + 1, LE, where h is the hash of the name; so the first byte is odd
//!      4  …      the argument
//! ```
//!
//! ```
//! use bin_prot::{BinProt, to_vec};
//!
//! #[derive(BinProt)]
//! #[bin_prot(polymorphic)]
//! enum Answer {
//!     Ok(i64),
//!     Eof,
//! }
//!
//! assert_eq!(to_vec(&Answer::Ok(5))?, [0x79, 0x8a, 0x00, 0x00, 0x05]);
//! assert_eq!(to_vec(&Answer::Eof)?, [0x39, 0x79, 0x69, 0x00]);
//! # Ok::<(), bin_prot::WriteError>(())
//! ```
//!
//! # Everything else
//!
//! Is made of these: see [`Sexp`](crate::Sexp), [`Info`](crate::Info), [`Blob`](crate::Blob),
//! [`FloatArray`](crate::FloatArray), [`Mat`](crate::Mat), [`Digest`](crate::shape::Digest) and
//! the types of Core in [`library`](crate::library).
