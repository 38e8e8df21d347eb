//! Recognises, by its first bytes, what is clearly no Async_rpc.
//!
//! The first 8 bytes of a connection are the length of a header frame, at most 901. Other
//! protocols begin with letters or with a type byte, which read as a length are far out of range:
//!
//! ```text
//! 48 54 54 50 2f 31 2e 31   "HTTP/1.1"   3,543,824,036,068,086,856 bytes
//! 16 03 01 02 00 01 00 01   TLS          72,058,693,583,176,470 bytes
//! ```

use std::fmt;

use thiserror::Error;

use crate::frame;

/// The first frame announced an impossible length: the peer is hardly an Async_rpc peer.
///
/// ```
/// use rpc_wire::frame;
/// use rpc_wire::handshake::{FirstFrameError, Foreign};
///
/// let error = frame::split(b"HTTP/1.1 400 Bad Request\r\n", frame::DEFAULT_LIMIT).unwrap_err();
/// let error = FirstFrameError::from(error);
/// assert_eq!(error.looks_like, Some(Foreign::Http));
/// assert_eq!(error.to_string(), "the first bytes are no Async_rpc header, they look like HTTP");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the first bytes are no Async_rpc header{}", Suffix(looks_like))]
pub struct FirstFrameError {
    /// What the bytes look like, if that is plain.
    pub looks_like: Option<Foreign>,
    /// The length that they were read as.
    #[source]
    pub source: frame::Error,
}

/// What the first bytes of a connection look like when it is not Async_rpc.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreign {
    /// A request or a response of HTTP/1, or the preface of an HTTP/2 client.
    Http,
    /// A record of TLS: only one side expects encryption.
    Tls,
    /// The greeting of SSH.
    Ssh,
    /// A header of the PROXY protocol, which a load balancer puts before the stream.
    Proxy,
    /// Printable text of some other kind; its first 8 bytes.
    Text([u8; 8]),
}

impl Foreign {
    /// What a stream that begins with `bytes` looks like; `None` if nothing is recognised, as for
    /// Async_rpc itself. Only the first 8 bytes are looked at.
    pub fn guess(bytes: &[u8]) -> Option<Self> {
        const HTTP: [&[u8]; 9] = [
            b"HTTP/",
            b"GET ",
            b"POST ",
            b"PUT ",
            b"HEAD ",
            b"OPTIONS ",
            b"CONNECT ",
            b"DELETE ",
            b"PRI * HT",
        ];
        let begins_with = |start: &&[u8]| bytes.starts_with(start);
        if HTTP.iter().any(begins_with) {
            return Some(Self::Http);
        }
        // Content type alert or handshake, then major version 3.
        if let [0x15 | 0x16, 3, 0..=4, ..] = bytes {
            return Some(Self::Tls);
        }
        if bytes.starts_with(b"SSH-") {
            return Some(Self::Ssh);
        }
        if bytes.starts_with(b"PROXY ") || bytes.starts_with(b"\r\n\r\n\0\r\nQ") {
            return Some(Self::Proxy);
        }
        let first = bytes.first_chunk::<8>()?;
        let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t');
        first.iter().all(is_text).then_some(Self::Text(*first))
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http => f.write_str("HTTP"),
            Self::Tls => f.write_str("TLS"),
            Self::Ssh => f.write_str("SSH"),
            Self::Proxy => f.write_str("the PROXY protocol"),
            Self::Text(bytes) => write!(f, "the text \"{}\"", bytes.escape_ascii()),
        }
    }
}

impl From<frame::Error> for FirstFrameError {
    fn from(source: frame::Error) -> Self {
        Self {
            looks_like: Foreign::guess(&source.length.to_le_bytes()),
            source,
        }
    }
}

/// The end of the message, when there is something to say.
struct Suffix<'a>(&'a Option<Foreign>);

impl fmt::Display for Suffix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(foreign) => write!(f, ", they look like {foreign}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stream: &[u8], expected: &str) {
        let error = frame::split(stream, frame::DEFAULT_LIMIT).unwrap_err();
        let error = FirstFrameError::from(error).to_string();
        let expected = format!("the first bytes are no Async_rpc header{expected}");
        assert_eq!(error, expected);
    }

    #[test]
    fn common_protocols_are_named() {
        check(b"GET / HTTP/1.1\r\n", ", they look like HTTP");
        check(b"HTTP/1.1 200 OK\r\n", ", they look like HTTP");
        check(b"PRI * HTTP/2.0\r\n", ", they look like HTTP");
        check(b"OPTIONS * HTTP/1.1\r\n", ", they look like HTTP");
        check(&[0x16, 3, 1, 2, 0, 1, 0, 1], ", they look like TLS");
        check(&[0x15, 3, 3, 0, 2, 2, 40, 0x15], ", they look like TLS");
        check(b"SSH-2.0-OpenSSH_9.6\r\n", ", they look like SSH");
        check(b"PROXY TCP4 1.2.3.4", ", they look like the PROXY protocol");
        check(
            b"\r\n\r\n\0\r\nQUIT\n",
            ", they look like the PROXY protocol",
        );
    }

    #[test]
    fn other_text_is_shown_and_other_bytes_are_not_guessed_at() {
        check(b"EHLO \"a\r\n", r#", they look like the text "EHLO \"a\r""#);
        check(&[0xff; 8], "");
        check(b"EHLO\x1b[2Jabc", "");
    }

    #[test]
    fn async_rpc_is_not_taken_for_something_else() {
        assert_eq!(Foreign::guess(&[17, 0, 0, 0, 0, 0, 0, 0, 0x0c, 0xfd]), None);
        assert_eq!(Foreign::guess(b""), None);
        assert_eq!(Foreign::guess(b"GE"), None);
    }
}
