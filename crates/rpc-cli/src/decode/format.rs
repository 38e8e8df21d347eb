//! What a capture is, by its first bytes.

use crate::args::Format;

/// How many bytes are looked at: the whole header of a pcap file, which its reader wants at once.
pub(super) const BYTES_NEEDED: usize = 24;

/// How a pcapng file begins.
pub(super) const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// What the first bytes tell. Whatever is not known is raw bytes.
pub(super) fn of(start: &[u8]) -> Format {
    match start {
        // pcap in either byte order, with micro- or nanoseconds.
        [0xd4, 0xc3, 0xb2, 0xa1, ..]
        | [0xa1, 0xb2, 0xc3, 0xd4, ..]
        | [0x4d, 0x3c, 0xb2, 0xa1, ..]
        | [0xa1, 0xb2, 0x3c, 0x4d, ..] => Format::Pcap,
        start if start.starts_with(&PCAPNG) => Format::Pcap,
        // The length of a raw header frame has zeros behind its first byte.
        [b'{', b'"', ..] => Format::Recording,
        _ => Format::Raw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell() {
        assert_eq!(of(&[0xd4, 0xc3, 0xb2, 0xa1]), Format::Pcap);
        assert_eq!(of(&[0x0a, 0x0d, 0x0d, 0x0a]), Format::Pcap);
        assert_eq!(of(b"{\"re"), Format::Recording);
        assert_eq!(of(b"{\0\0\0"), Format::Raw);
        assert_eq!(of(b"\x0a\0\0\0"), Format::Raw);
        assert_eq!(of(b""), Format::Raw);
    }
}
