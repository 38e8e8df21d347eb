//! `Time_float`: instants, spans and times of day in seconds, as floats.

use std::cmp::Ordering;

use super::Zone;
use crate::BinProt;

macro_rules! seconds {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// Ordered as OCaml orders floats: NaN is less than all others and equal to itself.
        #[derive(Clone, Copy, Debug, Default, BinProt)]
        pub struct $name(f64);

        impl $name {
            /// From seconds.
            pub const fn from_secs(seconds: f64) -> Self {
                Self(seconds)
            }

            /// The seconds.
            pub const fn as_secs(self) -> f64 {
                self.0
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                let number = self.0.partial_cmp(&other.0);
                number.unwrap_or_else(|| other.0.is_nan().cmp(&self.0.is_nan()))
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other).is_eq()
            }
        }

        impl Eq for $name {}
    )*};
}
seconds! {
    /// An instant: seconds since 1970-01-01 00:00:00 UTC.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  8      the seconds, a float, LE
    ///
    /// 00 00 00 c6 9f 94 d4 41    2013-10-07 09:30:00 UTC
    /// ```
    ///
    /// ```
    /// use bin_prot::library::TimeFloat;
    /// use bin_prot::to_vec;
    ///
    /// assert_eq!(to_vec(&TimeFloat::from_secs(1_381_138_200.0))?, [0, 0, 0, 0xc6, 0x9f, 0x94, 0xd4, 0x41]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    TimeFloat;
    /// A span of time, which may be negative.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  8      the seconds, a float, LE
    ///
    /// 00 00 00 00 00 00 e0 bf    −500 ms
    /// ```
    ///
    /// ```
    /// use bin_prot::library::TimeFloatSpan;
    /// use bin_prot::to_vec;
    ///
    /// assert_eq!(to_vec(&TimeFloatSpan::from_secs(-0.5))?, [0, 0, 0, 0, 0, 0, 0xe0, 0xbf]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    TimeFloatSpan;
    /// A time of day: seconds since midnight.
    ///
    /// ```text
    /// offset  width  meaning
    ///      0  8      the seconds, a float, LE
    ///
    /// 00 00 00 00 00 00 f0 3f    00:00:01
    /// ```
    ///
    /// ```
    /// use bin_prot::library::TimeFloatOfday;
    /// use bin_prot::to_vec;
    ///
    /// assert_eq!(to_vec(&TimeFloatOfday::from_secs(1.0))?, [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    /// # Ok::<(), bin_prot::WriteError>(())
    /// ```
    TimeFloatOfday;
}

/// A time of day in a time zone: a record.
///
/// ```text
/// offset  width  meaning
///      0  8      the seconds since midnight, a float, LE
///      8  …      the zone, a string
///
/// 00 00 00 00 00 00 00 00  03 55 54 43    midnight, UTC
/// ```
///
/// ```
/// use bin_prot::library::{TimeFloatOfday, TimeFloatOfdayZoned, Zone};
/// use bin_prot::to_vec;
///
/// let midnight = TimeFloatOfdayZoned {
///     ofday: TimeFloatOfday::from_secs(0.0),
///     zone: Zone("UTC".into()),
/// };
/// assert_eq!(to_vec(&midnight)?, *b"\0\0\0\0\0\0\0\0\x03UTC");
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub struct TimeFloatOfdayZoned {
    /// The time of day.
    pub ofday: TimeFloatOfday,
    /// The time zone.
    pub zone: Zone,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_a_number_is_least_and_equal_to_itself() {
        let nan = TimeFloat::from_secs(f64::NAN);
        let least = TimeFloat::from_secs(f64::NEG_INFINITY);
        assert_eq!(nan, nan);
        assert!(nan < least);
        assert_eq!(TimeFloat::from_secs(0.0), TimeFloat::from_secs(-0.0));
    }
}
