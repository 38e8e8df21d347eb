//! Numbers as people read them.

use std::time::Duration;

/// An amount of bytes with three or four digits: `0 B`, `1023 B`, `1.5 KiB`, `12.0 GiB`.
pub(crate) fn bytes(amount: u64) -> String {
    if amount < 1024 {
        return format!("{amount} B");
    }
    let mut scaled = amount as f64 / 1024.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        // What would be rounded to 1024.0 belongs to the next unit already.
        if scaled < 1023.95 {
            break;
        }
        scaled /= 1024.0;
        unit = larger;
    }
    format!("{scaled:.1} {unit}")
}

/// A rate: `1.5 KiB/s`.
pub(crate) fn rate(bytes_per_second: u64) -> String {
    format!("{}/s", bytes(bytes_per_second))
}

/// A share in per-mille as a percentage: `12.3%`.
pub(crate) fn percent(per_mille: u32) -> String {
    format!("{}.{}%", per_mille / 10, per_mille % 10)
}

/// A number of hundredths: `1.50`.
pub(crate) fn hundredths(number: u32) -> String {
    format!("{}.{:02}", number / 100, number % 100)
}

/// Seconds with milliseconds, for the time of an event: `12.345 s`.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{}.{:03} s", time.as_secs(), time.subsec_millis())
}

/// A span of time, as exact as is useful: `0.4 s`, `59.9 s`, `2 min 03 s`, `4 h 05 min`, `3 d 04 h`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    if days > 0 {
        format!("{days} d {:02} h", hours % 24)
    } else if hours > 0 {
        format!("{hours} h {:02} min", minutes % 60)
    } else if minutes > 0 {
        format!("{minutes} min {:02} s", seconds % 60)
    } else {
        format!("{seconds}.{} s", time.subsec_millis() / 100)
    }
}

/// `1 update`, `2 updates`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_change_unit_before_they_get_long() {
        for (amount, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
            (1 << 30, "1.0 GiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(amount), expected);
        }
        assert_eq!(rate(2048), "2.0 KiB/s");
    }

    #[test]
    fn fractions_keep_their_digits() {
        assert_eq!(percent(5), "0.5%");
        assert_eq!(percent(1000), "100.0%");
        assert_eq!(hundredths(5), "0.05");
        assert_eq!(hundredths(123), "1.23");
        assert_eq!(seconds(Duration::from_millis(12_005)), "12.005 s");
    }

    #[test]
    fn spans_get_coarser_with_their_length() {
        for (seconds, expected) in [
            (0.04, "0.0 s"),
            (59.99, "59.9 s"),
            (60.0, "1 min 00 s"),
            (3599.0, "59 min 59 s"),
            (14_700.0, "4 h 05 min"),
            (273_600.0, "3 d 04 h"),
        ] {
            assert_eq!(span(Duration::from_secs_f64(seconds)), expected);
        }
    }

    #[test]
    fn one_is_singular() {
        assert_eq!(counted(0, "update"), "0 updates");
        assert_eq!(counted(1, "update"), "1 update");
        assert_eq!(counted(2, "update"), "2 updates");
    }
}
