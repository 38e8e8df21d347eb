//! What the process's environment says about connections (*connection* §13).

use std::ffi::OsString;
use std::sync::OnceLock;
use std::time::Duration;

use rpc_wire::ProtocolVersion;
use thiserror::Error;

use crate::payload::dump::{Dump, Dumps};

/// Lengthens the heartbeat timeout: a time span such as `45s`.
const HEARTBEAT_TIMEOUT: &str = "ASYNC_RPC_HEARTBEAT_TIMEOUT_OVERRIDE";
/// A number of bytes.
pub(crate) const MAX_MESSAGE_SIZE: &str = "ASYNC_RPC_MAX_MESSAGE_SIZE";
/// The highest version to offer.
const MAX_VERSION: &str = "ASYNC_RPC_FORCE_PROTOCOL_VERSION_NUMBER_UPPER_BOUND";
/// A directory for payloads that cannot be decoded.
const DUMP_UNDECODABLE: &str = "ASYNC_RPC_DEBUG_DUMP_DESERIALIZATION_ERRORS";
/// The same for those whose value has another length than was announced.
const DUMP_WRONG_LENGTH: &str = "ASYNC_RPC_DEBUG_DUMP_MESSAGE_LENGTH_ERRORS";

/// What the reference's environment variables say; for those who run a program, and cannot change
/// it.
///
/// The library reads no variable by itself. A program that wants to be told does this at its
/// start:
///
/// ```
/// use rpc_core::Environment;
/// use rpc_core::connection::Config;
///
/// let config = Config::default().environment(Environment::of_process()?);
/// # let _ = config;
/// # Ok::<(), &rpc_core::EnvironmentError>(())
/// ```
///
/// | Variable | Value | Effect | Also as |
/// |---|---|---|---|
/// | `ASYNC_RPC_HEARTBEAT_TIMEOUT_OVERRIDE` | time span, `45s` | the heartbeat timeout is at least this | [`min_timeout`](crate::connection::heartbeat::Config::min_timeout) |
/// | `ASYNC_RPC_MAX_MESSAGE_SIZE` | bytes | the limit for messages, unless a higher one is configured | [`max_message_size`](crate::connection::Config::max_message_size) |
/// | `ASYNC_RPC_FORCE_PROTOCOL_VERSION_NUMBER_UPPER_BOUND` | 1 to 11; others are clamped | versions up to this are offered, unless others are configured | [`versions`](crate::connection::Config::versions) |
/// | `ASYNC_RPC_DEBUG_DUMP_DESERIALIZATION_ERRORS` | a directory, see below | payloads that cannot be decoded are kept there | [`keep_undecodable`](crate::connection::Config::keep_undecodable) |
/// | `ASYNC_RPC_DEBUG_DUMP_MESSAGE_LENGTH_ERRORS` | likewise | payloads are kept whose value has another length than was announced | [`keep_wrong_length`](crate::connection::Config::keep_wrong_length) |
///
/// A directory is a path with a slash in it. A name without one goes under `/dev/shm` (where that
/// does not exist: the directory for temporary files); an empty value and `1` stand for
/// `async-rpc-undecodable` there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    pub(crate) min_heartbeat_timeout: Option<Duration>,
    pub(crate) max_message_size: Option<usize>,
    pub(crate) max_version: Option<ProtocolVersion>,
    pub(crate) dumps: Dumps,
}

/// A variable's value makes no sense, and ignoring it would be worse than not starting.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{variable} is no time span such as 45s: {value:?}")]
pub struct EnvironmentError {
    /// The variable.
    pub variable: &'static str,
    /// Its value.
    pub value: OsString,
}

impl Environment {
    /// What this process was started with. Read once; later changes have no effect.
    ///
    /// # Errors
    /// The time span is none: the program is not to start (*connection* §13). Other values that
    /// make no sense are ignored, which is logged.
    pub fn of_process() -> Result<&'static Self, &'static EnvironmentError> {
        static PROCESS: OnceLock<Result<Environment, EnvironmentError>> = OnceLock::new();
        PROCESS
            .get_or_init(|| Self::from_variables(|name| std::env::var_os(name)))
            .as_ref()
    }

    /// The same with variables from somewhere else.
    ///
    /// # Errors
    /// As above.
    pub fn from_variables(
        value: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, EnvironmentError> {
        let min_heartbeat_timeout = value(HEARTBEAT_TIMEOUT).map(|value| {
            let span = value.to_str().and_then(parse_span);
            span.ok_or(EnvironmentError {
                variable: HEARTBEAT_TIMEOUT,
                value,
            })
        });
        let integer = |variable: &str| -> Option<i64> {
            let value = value(variable)?;
            let number = value.to_str().and_then(|text| text.trim().parse().ok());
            if number.is_none() {
                tracing::warn!(variable, ?value, "not an integer, and ignored");
            }
            number
        };
        Ok(Self {
            min_heartbeat_timeout: min_heartbeat_timeout.transpose()?,
            max_message_size: integer(MAX_MESSAGE_SIZE)
                .and_then(|bytes| usize::try_from(bytes).ok()),
            dumps: Dumps {
                undecodable: value(DUMP_UNDECODABLE).map(|value| Dump::named(&value)),
                wrong_length: value(DUMP_WRONG_LENGTH).map(|value| Dump::named(&value)),
            },
            max_version: integer(MAX_VERSION).and_then(|bound| {
                let (min, max) = (ProtocolVersion::MIN, ProtocolVersion::MAX);
                ProtocolVersion::new(bound.clamp(min.number().into(), max.number().into()))
            }),
        })
    }
}

/// A time span as OCaml prints them: numbers with units, largest first, such as `1m30s` or
/// `0.5s`. Not a negative one.
fn parse_span(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 7] = [
        // Longer ones before those that they begin with.
        ("ms", 1e-3),
        ("us", 1e-6),
        ("ns", 1e-9),
        ("d", 86_400.0),
        ("h", 3_600.0),
        ("m", 60.0),
        ("s", 1.0),
    ];
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !matches!(c, '0'..='9' | '.' | '_'))?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let number: f64 = number.replace('_', "").parse().ok()?;
        let unit = |(unit, seconds): (&str, f64)| Some((tail.strip_prefix(unit)?, seconds));
        let (tail, seconds) = UNITS.into_iter().find_map(unit)?;
        let span = Duration::try_from_secs_f64(number * seconds).ok()?;
        total = total.checked_add(span)?;
        rest = tail;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;
    use crate::connection::Config;

    fn environment(variable: &str, value: &str) -> Result<Environment, EnvironmentError> {
        Environment::from_variables(|name| (name == variable).then(|| OsStr::new(value).into()))
    }

    /// G6, *connection* §13.
    #[test]
    fn heartbeat_timeout_is_a_time_span_or_an_error() {
        for (value, expected) in [
            ("45s", 45_000),
            ("15s", 15_000),
            ("0.5s", 500),
            ("250ms", 250),
            ("1m30s", 90_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("10_000ms", 10_000),
        ] {
            let environment = environment(HEARTBEAT_TIMEOUT, value).unwrap();
            let expected = Duration::from_millis(expected);
            assert_eq!(environment.min_heartbeat_timeout, Some(expected), "{value}");
        }
        for value in [
            "invalid", "", "45", "-45s", "45x", "s", "1..5s", "45s!", "1e400s",
        ] {
            let error = environment(HEARTBEAT_TIMEOUT, value).unwrap_err();
            assert!(error.to_string().starts_with(HEARTBEAT_TIMEOUT), "{error}");
        }
    }

    /// *connection* §13: bad values are ignored.
    #[test]
    fn message_size_is_a_number_of_bytes_or_ignored() {
        let size = |value| {
            environment(MAX_MESSAGE_SIZE, value)
                .unwrap()
                .max_message_size
        };
        assert_eq!(size("1024"), Some(1024));
        assert_eq!(size("0"), Some(0));
        for bad in ["many", "", "-1", "1.5"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }

    /// *connection* §13: clamped, or ignored.
    #[test]
    fn version_bound_is_clamped() {
        let bound = |value| {
            let version = environment(MAX_VERSION, value).unwrap().max_version;
            version.map(|version| version.number())
        };
        for (value, expected) in [
            ("10", Some(10)),
            ("1", Some(1)),
            ("11", Some(11)),
            ("0", Some(1)),
            ("-5", Some(1)),
            ("99", Some(11)),
            ("newest", None),
        ] {
            assert_eq!(bound(value), expected, "{value}");
        }
    }

    /// *connection* §13: each variable is about its own sort of payload.
    #[test]
    fn directories_for_payloads_are_named() {
        let dumps = |variable| environment(variable, "/var/tmp/rpc").unwrap().dumps;
        let directory = |dump: Option<Dump>| dump.map(|dump| dump.directory().to_owned());
        let expected = Some(PathBuf::from("/var/tmp/rpc"));
        let undecodable = dumps(DUMP_UNDECODABLE);
        assert_eq!(directory(undecodable.undecodable), expected);
        assert_eq!(directory(undecodable.wrong_length), None);
        let wrong_length = dumps(DUMP_WRONG_LENGTH);
        assert_eq!(directory(wrong_length.undecodable), None);
        assert_eq!(directory(wrong_length.wrong_length), expected);
    }

    /// C-EN-1: in a process of its own, whose environment bounds the version.
    #[test]
    fn process_is_asked_once_and_only_for_those_who_want_to_know() {
        const MARK: &str = "RPC_CORE_TEST_IS_THE_CHILD";
        const NAME: &str =
            "environment::tests::process_is_asked_once_and_only_for_those_who_want_to_know";
        if std::env::var_os(MARK).is_none() {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child
                .args(["--exact", NAME])
                .env(MARK, "")
                .env(MAX_VERSION, "3");
            let output = child.output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{said}");
            assert!(said.contains("1 passed"), "{said}");
            return;
        }
        let offered = |config: Config| config.header().versions().max();
        assert_eq!(offered(Config::default()), Some(11));
        let environment = Environment::of_process().unwrap();
        assert!(std::ptr::eq(
            environment,
            Environment::of_process().unwrap()
        ));
        let config = Config::default().environment(environment);
        assert_eq!(offered(config), Some(3));
    }

    #[test]
    fn without_variables_nothing_is_said() {
        let nothing = Environment::from_variables(|_| None).unwrap();
        assert_eq!(nothing, Environment::default());
    }
}
