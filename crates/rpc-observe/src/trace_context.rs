//! Where a call belongs in a trace: W3C trace contexts, and their text.
//!
//! Knows nothing of connections or spans.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

/// Key of a query's metadata under which the caller's context travels, as `traceparent` text. The
/// number is the two letters `tp`.
///
/// Our choice. Peers below version 8 know key 0 only, and get no context unless `Tracing` is told
/// to use that.
pub const TRACEPARENT_KEY: i64 = 0x7470;

/// The trace that something belongs to, and what it is called in it.
///
/// The text is that of the header `traceparent` of W3C's *Trace Context*, version `00`:
///
/// ```text
/// 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
///    trace id                         span id          flags: 01 is sampled
/// ```
///
/// ```
/// use rpc_observe::TraceContext;
///
/// let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context: TraceContext = text.parse()?;
/// assert!(context.is_sampled());
/// assert_eq!(context.to_string(), text);
/// assert_eq!(context.child().trace_id(), context.trace_id());
/// # Ok::<(), rpc_observe::TraceContextError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace_id: NonZeroU128,
    span_id: NonZeroU64,
    sampled: bool,
}

/// Why a text is no trace context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TraceContextError {
    /// It is not `VERSION-TRACE_ID-SPAN_ID-FLAGS` in lower-case hex digits.
    #[error("not of the form 00-TRACE_ID-SPAN_ID-FLAGS")]
    Malformed,
    /// The version `ff`, which is forbidden.
    #[error("version ff is forbidden")]
    ForbiddenVersion,
    /// An id of nothing but zeros, which is forbidden.
    #[error("an id is zero")]
    ZeroId,
}

impl TraceContext {
    /// A new trace, which is sampled.
    pub fn root() -> Self {
        let trace_id = (u128::from(random().get()) << 64) | u128::from(random().get());
        Self {
            // Its upper half is not zero.
            trace_id: NonZeroU128::new(trace_id).unwrap_or(NonZeroU128::MIN),
            span_id: random(),
            sampled: true,
        }
    }

    /// Something new in the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            span_id: random(),
            ..*self
        }
    }

    /// Which trace, shown as 32 hex digits.
    pub fn trace_id(&self) -> NonZeroU128 {
        self.trace_id
    }

    /// Which span in it, shown as 16 hex digits.
    pub fn span_id(&self) -> NonZeroU64 {
        self.span_id
    }

    /// Whether whoever began the trace records it. It is passed on, and changes nothing here.
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// The text in the payload of a query's metadata.
    ///
    /// # Errors
    /// It is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TraceContextError> {
        let text = std::str::from_utf8(bytes).map_err(|_| TraceContextError::Malformed)?;
        text.parse()
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span, flags) = (self.trace_id, self.span_id, u8::from(self.sampled));
        write!(f, "00-{trace:032x}-{span:016x}-{flags:02x}")
    }
}

impl FromStr for TraceContext {
    type Err = TraceContextError;

    /// Of later versions the parts that this one knows are read, as they prescribe.
    fn from_str(text: &str) -> Result<Self, TraceContextError> {
        let mut parts = text.split('-');
        let version = digits(parts.next(), 2)?;
        let trace_id = digits(parts.next(), 32)?;
        let span_id = digits(parts.next(), 16)?;
        let flags = digits(parts.next(), 2)?;
        match (version, parts.next()) {
            (0xff, _) => return Err(TraceContextError::ForbiddenVersion),
            (0, Some(_)) => return Err(TraceContextError::Malformed),
            _ => {}
        }
        // Sixteen digits are 64 bits.
        let span_id = u64::try_from(span_id).map_err(|_| TraceContextError::Malformed)?;
        Ok(Self {
            trace_id: NonZeroU128::new(trace_id).ok_or(TraceContextError::ZeroId)?,
            span_id: NonZeroU64::new(span_id).ok_or(TraceContextError::ZeroId)?,
            sampled: flags & 1 == 1,
        })
    }
}

/// A number of exactly so many lower-case hex digits.
fn digits(part: Option<&str>, width: usize) -> Result<u128, TraceContextError> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    part.filter(|part| part.len() == width && part.bytes().all(is_digit))
        .and_then(|part| u128::from_str_radix(part, 16).ok())
        .ok_or(TraceContextError::Malformed)
}

/// Numbers that no other process has: keys that the system's randomness seeded, over a counter.
/// They need not be secret.
fn random() -> NonZeroU64 {
    static KEYS: OnceLock<RandomState> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let number = KEYS.get_or_init(RandomState::new).hash_one(count);
    NonZeroU64::new(number).unwrap_or(NonZeroU64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[track_caller]
    fn check(text: &str, expected: Result<&str, TraceContextError>) {
        let read = TraceContext::from_bytes(text.as_bytes());
        let shown = read.map(|context| context.to_string());
        assert_eq!(shown, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn text_is_read_and_written() {
        check(TEXT, Ok(TEXT));
        let unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        check(unsampled, Ok(unsampled));
        // Flags that this version does not know are not passed on.
        check(&TEXT.replace("-01", "-ff"), Ok(TEXT));
        // Nor is what a later version has beyond these parts.
        check(&format!("cc{}-what", &TEXT[2..]), Ok(TEXT));
        check(&format!("cc{}", &TEXT[2..]), Ok(TEXT));
    }

    #[test]
    fn what_is_no_context_is_refused() {
        use TraceContextError::{ForbiddenVersion, Malformed, ZeroId};
        check("", Err(Malformed));
        check("trace 7", Err(Malformed));
        check(&TEXT.to_uppercase(), Err(Malformed));
        check(&TEXT[..TEXT.len() - 1], Err(Malformed));
        check(&format!("{TEXT}0"), Err(Malformed));
        check(&format!("{TEXT}-00"), Err(Malformed));
        check(&TEXT.replace("4bf9", "+bf9"), Err(Malformed));
        check(&format!("ff{}", &TEXT[2..]), Err(ForbiddenVersion));
        let zeros = [
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ];
        for text in zeros {
            check(text, Err(ZeroId));
        }
        assert_eq!(TraceContext::from_bytes(b"\xff\xfe"), Err(Malformed));
    }

    #[test]
    fn every_prefix_of_a_context_is_none() {
        (0..TEXT.len()).for_each(|end| check(&TEXT[..end], Err(TraceContextError::Malformed)));
    }

    #[test]
    fn children_belong_to_their_trace_and_are_new() {
        let roots: [TraceContext; 100] = std::array::from_fn(|_| TraceContext::root());
        let traces: std::collections::HashSet<_> = roots.iter().map(|root| root.trace_id).collect();
        assert_eq!(traces.len(), 100);
        for root in roots {
            let child = root.child();
            assert_eq!(child.trace_id, root.trace_id);
            assert_ne!(child.span_id, root.span_id);
            assert_eq!(child.to_string().parse(), Ok(child));
        }
    }
}
