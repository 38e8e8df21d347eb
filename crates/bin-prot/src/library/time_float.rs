//! `Time_float`: instants, spans and times of day in seconds, as floats.
//!
//! ```text
//! 00 00 00 c6 9f 94 d4 41    2013-10-07 09:30:00 Z
//! ```

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
    TimeFloat;
    /// A span of time, which may be negative.
    TimeFloatSpan;
    /// A time of day: seconds since midnight.
    TimeFloatOfday;
}

/// A time of day in a time zone.
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
