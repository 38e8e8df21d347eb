//! Days of the calendar.

use std::fmt;
use std::str::FromStr;

use crate::BinProt;
use crate::error::{ReadError, ReadErrorKind, WriteError};
use crate::read::{BinRead, Reader};
use crate::shape::identity::{DATE, DATE_OPTION};
use crate::shape::{BinShape, Shape};
use crate::write::BinWrite;

/// A month.
///
/// ```text
/// offset  width  meaning
///      0  1      the number, January 0
///
/// 0b    December
/// ```
///
/// ```
/// use bin_prot::library::Month;
/// use bin_prot::to_vec;
///
/// assert_eq!(to_vec(&Month::Dec)?, [11]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
#[expect(missing_docs, reason = "everybody knows the months")]
pub enum Month {
    Jan,
    Feb,
    Mar,
    Apr,
    May,
    Jun,
    Jul,
    Aug,
    Sep,
    Oct,
    Nov,
    Dec,
}

impl Month {
    /// All of them, in order.
    pub const ALL: [Self; 12] = [
        Self::Jan,
        Self::Feb,
        Self::Mar,
        Self::Apr,
        Self::May,
        Self::Jun,
        Self::Jul,
        Self::Aug,
        Self::Sep,
        Self::Oct,
        Self::Nov,
        Self::Dec,
    ];

    /// The number of the month, January 1.
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The month of a number, January 1.
    pub fn from_number(number: u8) -> Option<Self> {
        let index = usize::from(number).checked_sub(1)?;
        Self::ALL.get(index).copied()
    }
}

/// A day of the week.
///
/// ```text
/// offset  width  meaning
///      0  1      the number, Sunday 0
///
/// 06    Saturday
/// ```
///
/// ```
/// use bin_prot::library::DayOfWeek;
/// use bin_prot::to_vec;
///
/// assert_eq!(to_vec(&DayOfWeek::Sat)?, [6]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BinProt)]
#[expect(missing_docs, reason = "everybody knows the days of the week")]
pub enum DayOfWeek {
    Sun,
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
}

/// A day of the Gregorian calendar in the years 0 to 9999. Shown as `2001-09-09`.
///
/// Reading refuses a day that its month does not have.
///
/// ```text
/// offset  width  meaning
///      0  1 or 3 the year, an int
///      …  1      the month, January 0
///      …  1      the day, an int
///
/// fe 2a 04  09  10    1066-10-16
/// ```
///
/// ```
/// use bin_prot::library::{Date, Month};
/// use bin_prot::{from_slice, to_vec};
///
/// let date = Date::new(1066, Month::Oct, 16).expect("a day of the calendar");
/// assert_eq!(to_vec(&date)?, [0xfe, 0x2a, 0x04, 0x09, 0x10]);
/// assert_eq!(date.to_string(), "1066-10-16");
/// assert!(from_slice::<Date>(&[0xfe, 0x2a, 0x04, 0x01, 0x1e]).is_err(), "no 30 February");
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: Month,
    day: u8,
}

const LAST_YEAR: u16 = 9999;

impl Date {
    /// The date, if there is such a day.
    pub fn new(year: u16, month: Month, day: u8) -> Option<Self> {
        let is_day = year <= LAST_YEAR && (1..=days(year, month)).contains(&day);
        is_day.then_some(Self { year, month, day })
    }

    /// The year, 0 to 9999.
    pub fn year(self) -> u16 {
        self.year
    }

    /// The month.
    pub fn month(self) -> Month {
        self.month
    }

    /// The day of the month, from 1.
    pub fn day(self) -> u8 {
        self.day
    }
}

fn days(year: u16, month: Month) -> u8 {
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        Month::Feb if is_leap => 29,
        Month::Feb => 28,
        Month::Apr | Month::Jun | Month::Sep | Month::Nov => 30,
        Month::Jan
        | Month::Mar
        | Month::May
        | Month::Jul
        | Month::Aug
        | Month::Oct
        | Month::Dec => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day } = self;
        write!(f, "{year:04}-{:02}-{day:02}", month.number())
    }
}

/// A text that is no date of the form `2001-09-09`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a date has the form 2001-09-09")]
pub struct ParseDateError;

impl FromStr for Date {
    type Err = ParseDateError;

    fn from_str(text: &str) -> Result<Self, ParseDateError> {
        let number = |digits: &str, length| {
            let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            (digits.len() == length && all_digits).then(|| digits.parse::<u16>().ok())?
        };
        let mut parts = text.splitn(3, '-');
        let mut next = |length| number(parts.next()?, length);
        let mut date = || {
            let year = next(4)?;
            let month = Month::from_number(next(2)?.try_into().ok()?)?;
            Self::new(year, month, next(2)?.try_into().ok()?)
        };
        date().ok_or(ParseDateError)
    }
}

impl BinWrite for Date {
    fn bin_size(&self) -> usize {
        self.year.bin_size() + 1 + 1
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.year.bin_write(buffer)?;
        self.month.bin_write(buffer)?;
        i64::from(self.day).bin_write(buffer)
    }
}

impl BinRead<'_> for Date {
    const MIN_SIZE: usize = 3;

    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let start = reader.offset();
        let year = reader.int()?;
        let month = Month::bin_read(reader)?;
        let day = reader.int()?;
        date(year, month, day).ok_or_else(|| reader.error_at(start, NO_DAY))
    }
}

const NO_DAY: ReadErrorKind = ReadErrorKind::Invalid("no day of the calendar");

fn date(year: i64, month: Month, day: i64) -> Option<Date> {
    Date::new(year.try_into().ok()?, month, day.try_into().ok()?)
}

impl BinShape for Date {
    fn bin_shape() -> Shape {
        Shape::base(DATE, [])
    }
}

/// An optional date as one number: 0, or `year·65,536 + month·256 + day` with months from 1.
///
/// ```text
/// offset  width  meaning
///      0  1 to 9 the number, an int
///
/// fd 05 0b a3 07    1955-11-05
/// 00                none
/// ```
///
/// ```
/// use bin_prot::library::{Date, DateOption, Month};
/// use bin_prot::to_vec;
///
/// let date = Date::new(1955, Month::Nov, 5);
/// assert_eq!(to_vec(&DateOption(date))?, [0xfd, 0x05, 0x0b, 0xa3, 0x07]);
/// assert_eq!(to_vec(&DateOption(None))?, [0]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateOption(pub Option<Date>);

impl DateOption {
    fn number(self) -> i64 {
        self.0.map_or(0, |Date { year, month, day }| {
            i64::from(year) << 16 | i64::from(month.number()) << 8 | i64::from(day)
        })
    }
}

impl BinWrite for DateOption {
    fn bin_size(&self) -> usize {
        self.number().bin_size()
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.number().bin_write(buffer)
    }
}

impl BinRead<'_> for DateOption {
    fn bin_read(reader: &mut Reader<'_>) -> Result<Self, ReadError> {
        let start = reader.offset();
        let number = reader.int()?;
        if number == 0 {
            return Ok(Self(None));
        }
        let month = u8::try_from(number >> 8 & 0xff).ok();
        let date = month
            .and_then(Month::from_number)
            .and_then(|month| date(number >> 16, month, number & 0xff));
        match date {
            Some(date) => Ok(Self(Some(date))),
            None => Err(reader.error_at(start, NO_DAY)),
        }
    }
}

impl BinShape for DateOption {
    fn bin_shape() -> Shape {
        Shape::base(DATE_OPTION, [])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{from_slice, to_vec};

    #[test]
    fn only_days_of_the_calendar_are_dates() {
        assert!(Date::new(2000, Month::Feb, 29).is_some());
        assert!(Date::new(2024, Month::Feb, 29).is_some());
        assert!(Date::new(1900, Month::Feb, 29).is_none());
        assert!(Date::new(2001, Month::Apr, 31).is_none());
        assert!(Date::new(2001, Month::Apr, 0).is_none());
        assert!(Date::new(10_000, Month::Jan, 1).is_none());
        let bytes = to_vec(&(2001_i64, Month::Apr, 31_i64)).unwrap();
        assert_eq!(from_slice::<Date>(&bytes).unwrap_err().kind, NO_DAY);
        let bytes = to_vec(&(2001_i64 << 16 | 13 << 8 | 1)).unwrap();
        assert_eq!(from_slice::<DateOption>(&bytes).unwrap_err().kind, NO_DAY);
    }

    #[test]
    fn text_is_read_back() {
        let date = Date::new(9, Month::Dec, 31).unwrap();
        assert_eq!(date.to_string(), "0009-12-31");
        assert_eq!(date.to_string().parse(), Ok(date));
        for wrong in ["", "2001-9-09", "2001-09-31", "2001-09-09-1", "+001-09-09"] {
            assert_eq!(wrong.parse::<Date>(), Err(ParseDateError), "{wrong}");
        }
    }
}
