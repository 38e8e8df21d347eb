//! Floats as OCaml prints and reads them.

/// With 15 significant digits, or 17 if those are not enough to read it back; like C's `%.15g`.
/// A NaN's payload is lost.
pub(super) fn print(float: f64) -> String {
    if float.is_nan() {
        return "nan".into();
    }
    if float.is_infinite() {
        return if float > 0.0 { "inf" } else { "-inf" }.into();
    }
    let short = general(float, 15);
    match short.parse::<f64>() {
        Ok(again) if float == again => short,
        Ok(_) | Err(_) => general(float, 17),
    }
}

pub(super) fn parse(text: &str) -> Option<f64> {
    text.replace('_', "").parse().ok()
}

/// C's `%g` with this many significant digits.
fn general(float: f64, digits: usize) -> String {
    let scientific = format!("{float:.*e}", digits - 1);
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    match usize::try_from(exponent) {
        Ok(exponent) if exponent < digits => {
            trimmed(&format!("{float:.*}", digits - 1 - exponent)).into()
        }
        Err(_) if exponent >= -4 => {
            let places = digits + exponent.unsigned_abs() as usize - 1;
            trimmed(&format!("{float:.places$}")).into()
        }
        Ok(_) | Err(_) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{}e{sign}{:02}", trimmed(mantissa), exponent.unsigned_abs())
        }
    }
}

/// Without zeros at the end of the fraction.
fn trimmed(number: &str) -> &str {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_short_and_read_back() {
        #[track_caller]
        fn check(float: f64, text: &str) {
            assert_eq!(print(float), text);
            assert_eq!(parse(text).unwrap().to_bits(), float.to_bits());
        }

        check(0.0, "0");
        check(-0.0, "-0");
        check(1.0, "1");
        check(0.1, "0.1");
        check(-2.5, "-2.5");
        check(1e14, "100000000000000");
        check(1e15, "1e+15");
        check(1e300, "1e+300");
        check(0.0001, "0.0001");
        check(0.00001, "1e-05");
        check(0.1 + 0.2, "0.30000000000000004");
        check(f64::MAX, "1.7976931348623157e+308");
        check(5e-324, "4.94065645841247e-324");
        check(f64::INFINITY, "inf");
        check(f64::NEG_INFINITY, "-inf");
        assert_eq!(print(f64::NAN), "nan");
        assert!(parse("nan").unwrap().is_nan());
        assert_eq!(parse("1_000.5"), Some(1000.5));
        assert_eq!(parse("x"), None);
    }
}
