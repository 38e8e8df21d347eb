//! `Time_ns`: instants, spans and times of day in nanoseconds.

use std::time::{Duration, SystemTime};

use crate::error::{ReadError, WriteError};
use crate::read::{BinRead, Reader};
use crate::shape::{BinShape, Shape};
use crate::write::BinWrite;
use crate::{BinProt, ByteString, Int63};

macro_rules! nanoseconds {
    ($($(#[$doc:meta])* $name:ident, $option:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
        pub struct $name(Int63);

        impl $name {
            /// From nanoseconds. A number that needs more than 63 bits cannot be written.
            pub const fn from_nanos(nanos: i64) -> Self {
                Self(Int63(nanos))
            }

            /// The nanoseconds.
            pub const fn as_nanos(self) -> i64 {
                self.0.0
            }
        }

        #[doc = concat!("An optional [`", stringify!($name), "`] in the same space: none is the least number of 63 bits.")]
        ///
        /// ```text
        /// offset  width  meaning
        ///      0  1 to 9 the nanoseconds, an int
        ///
        /// fc 00 00 00 00 00 00 00 c0    none
        /// ```
        ///
        /// ```
        #[doc = concat!("use bin_prot::library::", stringify!($option), ";")]
        /// use bin_prot::to_vec;
        ///
        #[doc = concat!("assert_eq!(to_vec(&", stringify!($option), "(None))?, [0xfc, 0, 0, 0, 0, 0, 0, 0, 0xc0]);")]
        /// # Ok::<(), bin_prot::WriteError>(())
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $option(pub Option<$name>);

        impl $option {
            fn number(self) -> Int63 {
                self.0.map_or(NONE, |some| some.0)
            }
        }

        impl BinWrite for $option {
            #[inline]
            fn bin_size(&self) -> usize {
                self.number().bin_size()
            }

            #[inline]
            fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
                self.number().bin_write(buffer)
            }
        }

        impl BinRead<'_> for $option {
            #[inline]
            fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
                Ok(match Int63::bin_read(reader)? {
                    NONE => Self(None),
                    some => Self(Some($name(some))),
                })
            }
        }

        impl BinShape for $option {
            fn bin_shape() -> Shape {
                Int63::bin_shape()
            }
        }
    )*};
}
nanoseconds! {
    /// An instant: nanoseconds since 1970-01-01 00:00:00 UTC.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  1 to 9 the nanoseconds, an int
    ///
    /// ff ff    1969-12-31 23:59:59.999999999 UTC
    /// ```
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use bin_prot::library::TimeNs;
    /// use bin_prot::to_vec;
    ///
    /// let before_the_epoch = TimeNs::from_nanos(-1);
    /// assert_eq!(to_vec(&before_the_epoch)?, [0xff, 0xff]);
    /// assert!(SystemTime::from(before_the_epoch) < SystemTime::UNIX_EPOCH);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    TimeNs, TimeNsOption;
    /// A span of time, which may be negative.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  1 to 9 the nanoseconds, an int
    ///
    /// fd 00 ca 9a 3b    one second
    /// fe 18 fc          −1 µs
    /// ```
    ///
    /// ```
    /// use std::time::Duration;
    /// use bin_prot::library::TimeNsSpan;
    /// use bin_prot::to_vec;
    ///
    /// let second = TimeNsSpan::try_from(Duration::from_secs(1))?;
    /// assert_eq!(to_vec(&second)?, [0xfd, 0x00, 0xca, 0x9a, 0x3b]);
    /// assert_eq!(to_vec(&TimeNsSpan::from_nanos(-1_000))?, [0xfe, 0x18, 0xfc]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    TimeNsSpan, TimeNsSpanOption;
    /// A time of day: nanoseconds since midnight.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  1 to 9 the nanoseconds, an int
    ///
    /// fd 00 ca 9a 3b    00:00:01
    /// ```
    ///
    /// ```
    /// use bin_prot::library::TimeNsOfday;
    /// use bin_prot::to_vec;
    ///
    /// assert_eq!(to_vec(&TimeNsOfday::from_nanos(1_000_000_000))?, [0xfd, 0x00, 0xca, 0x9a, 0x3b]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    TimeNsOfday, TimeNsOfdayOption;
}

const NONE: Int63 = Int63(-(1 << 62));

impl From<TimeNs> for SystemTime {
    fn from(time: TimeNs) -> Self {
        let distance = Duration::from_nanos(time.as_nanos().unsigned_abs());
        match time.as_nanos() {
            ..0 => Self::UNIX_EPOCH - distance,
            _ => Self::UNIX_EPOCH + distance,
        }
    }
}

/// Fails for instants before 1823 or after 2116, which do not fit 63 bits of nanoseconds.
impl TryFrom<SystemTime> for TimeNs {
    type Error = WriteError;

    fn try_from(time: SystemTime) -> Result<Self, WriteError> {
        let nanos = match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => TimeNsSpan::try_from(after)?.as_nanos(),
            Err(before) => -TimeNsSpan::try_from(before.duration())?.as_nanos(),
        };
        Ok(Self::from_nanos(nanos))
    }
}

/// Fails for more than 146 years, which do not fit 63 bits of nanoseconds.
impl TryFrom<Duration> for TimeNsSpan {
    type Error = WriteError;

    fn try_from(duration: Duration) -> Result<Self, WriteError> {
        match i64::try_from(duration.as_nanos()) {
            Ok(nanos) if crate::integer::is_int63(nanos) => Ok(Self::from_nanos(nanos)),
            Ok(_) | Err(_) => Err(WriteError::Invalid("a span of more than 146 years")),
        }
    }
}

/// The name of a time zone, which is how `Zone` travels in its stable version 1.
///
/// ```text
/// offset  width  meaning
///      0  1 to 9 N, a nat0
///      …  N      the name
///
/// 03  55 54 43    UTC
/// ```
///
/// ```
/// use bin_prot::library::Zone;
/// use bin_prot::to_vec;
///
/// assert_eq!(to_vec(&Zone("UTC".into()))?, *b"\x03UTC");
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
pub struct Zone(pub ByteString);

/// A time of day in a time zone: a record.
///
/// ```text
/// offset  width  meaning
///      0  1 to 9 the nanoseconds since midnight, an int
///      …  …      the zone, a string
///
/// 00  03 55 54 43    midnight, UTC
/// ```
///
/// ```
/// use bin_prot::library::{TimeNsOfday, TimeNsOfdayZoned, Zone};
/// use bin_prot::to_vec;
///
/// let midnight = TimeNsOfdayZoned {
///     ofday: TimeNsOfday::from_nanos(0),
///     zone: Zone("UTC".into()),
/// };
/// assert_eq!(to_vec(&midnight)?, *b"\x00\x03UTC");
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, BinProt)]
pub struct TimeNsOfdayZoned {
    /// The time of day.
    pub ofday: TimeNsOfday,
    /// The time zone.
    pub zone: Zone,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_of_the_system_are_converted() {
        for nanos in [
            0,
            1,
            -1,
            1_000_000_000_000_000_000,
            -4_000_000_000_000_000_000,
        ] {
            let time = TimeNs::from_nanos(nanos);
            assert_eq!(TimeNs::try_from(SystemTime::from(time)).unwrap(), time);
        }
        let year = Duration::from_secs(366 * 24 * 3600);
        assert!(TimeNs::try_from(SystemTime::UNIX_EPOCH + 147 * year).is_err());
    }
}
