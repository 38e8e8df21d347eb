//! Types of OCaml's Core library that travel in payloads, in their stable versions
//! (*bin_prot* §10, *shapes* §10).
//!
//! Only what their encoding and digest need: they are no date or time library.
//!
//! | OCaml | Here | Encoded as |
//! |---|---|---|
//! | `Time_ns`, `.Span`, `.Ofday` | [`TimeNs`], [`TimeNsSpan`], [`TimeNsOfday`] | int: nanoseconds |
//! | their `Option` | [`TimeNsOption`], [`TimeNsSpanOption`], [`TimeNsOfdayOption`] | the same, with the least int for none |
//! | `Time_float`, `.Span`, `.Ofday` | [`TimeFloat`], [`TimeFloatSpan`], [`TimeFloatOfday`] | float: seconds |
//! | `Ofday.Zoned`, `Zone` | [`TimeNsOfdayZoned`], [`TimeFloatOfdayZoned`], [`Zone`] | the time, then the zone's name |
//! | `Date`, `Date.Option` | [`Date`], [`DateOption`] | year, month, day; one int |
//! | `Month`, `Day_of_week` | [`Month`], [`DayOfWeek`] | one byte |
//! | `Percent`, `Percent.Option`, `Byte_units` | [`Percent`], [`PercentOption`], [`ByteUnits`] and their older versions | float or int |
//! | `Uchar` | [`char`] | int |
//! | `Uuid`, `Utf8`, `Host_and_port` | [`Uuid`], [`Utf8`], [`HostAndPort`] | string; string and int |
//! | `Digest`, `Md5.As_binary_string` | [`StdlibDigest`], [`Md5AsBinaryString`] | 16 bytes; a string of them |
//! | `Nonempty_list` | [`NonemptyList`] and its older versions | list; head and list |
//! | `Map`, `Set`, `Hashtbl`, `Hash_set` | `BTreeMap`, `BTreeSet`, `HashMap`, `HashSet` | count and elements |
//! | the same, polymorphic | [`PolyMap`], [`PolySet`], [`PolyHashtbl`] | the same, in another shape |
//! | `Queue`, `Deque`, `Fdeque`, `Linked_queue` | `VecDeque`, [`Deque`], [`Fdeque`], [`LinkedQueue`] | list, front first |
//! | `Either`, `Set_once`, `Nothing` | [`Either`], [`SetOnce`], [`Nothing`] | variant, option, no values |
//! | `Or_error`, its first version | [`OrError`], [`OrErrorV1`] | result |
//!
//! ```
//! use bin_prot::library::{Date, Month, TimeNsSpan};
//! use bin_prot::to_vec;
//!
//! let date = Date::new(1066, Month::Oct, 16).expect("a day of the calendar");
//! assert_eq!(to_vec(&date)?, [0xfe, 0x2a, 0x04, 0x09, 0x10]);
//! assert_eq!(to_vec(&TimeNsSpan::from_nanos(-1_000))?, [0xfe, 0x18, 0xfc]);
//! # Ok::<(), bin_prot::WriteError>(())
//! ```

mod choice;
mod collection;
mod date;
mod digest;
mod number;
mod sequence;
mod text;
mod time;
mod time_float;

pub use choice::{Either, Nothing, OrError, OrErrorV1, SetOnce};
pub use collection::{PolyHashtbl, PolyMap, PolySet};
pub use date::{Date, DateOption, DayOfWeek, Month, ParseDateError};
pub use digest::{Md5AsBinaryString, StdlibDigest};
pub use number::{
    ByteUnits, ByteUnitsV1, Percent, PercentOption, PercentOptionV2, PercentV1, PercentV2,
};
pub use sequence::{Deque, Fdeque, LinkedQueue, NonemptyList, NonemptyListV1, NonemptyListV2};
pub use text::{HostAndPort, Utf8, Uuid};
pub use time::{
    TimeNs, TimeNsOfday, TimeNsOfdayOption, TimeNsOfdayZoned, TimeNsOption, TimeNsSpan,
    TimeNsSpanOption, Zone,
};
pub use time_float::{TimeFloat, TimeFloatOfday, TimeFloatOfdayZoned, TimeFloatSpan};
