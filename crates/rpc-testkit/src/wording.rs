//! Whether two errors are the same in other words.
//!
//! The reference's errors quote its own exceptions and source files; what they say besides is part
//! of the protocol (`docs/spec/decisions.md`, R-ER-1).

/// Whether an error of ours, as its S-expression, says what a recorded one says: the same
/// constructor, the same location, and what was raised somewhere in what the reference made of
/// it.
///
/// ```
/// use rpc_testkit::wording::is_same_error;
///
/// let ours = r#"(Uncaught_exn((location"server-side rpc computation")(exn(Failure boom))))"#;
/// let theirs = r#"(Uncaught_exn((location"server-side rpc computation")(exn(monitor.ml.Error(Failure boom)("Caught by monitor")))))"#;
/// assert!(is_same_error(ours, theirs));
/// assert!(!is_same_error(&ours.replace("boom", "bang"), theirs));
/// assert!(!is_same_error(&ours.replace("rpc", "pipe_rpc"), theirs));
/// ```
#[must_use]
pub fn is_same_error(ours: &str, recorded: &str) -> bool {
    match ours.split_once("(exn") {
        None => ours == recorded,
        Some((around, raised)) => {
            recorded.starts_with(around) && recorded.contains(raised.trim_end_matches(')'))
        }
    }
}
