//! What kind of file a capture is.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::args::Format;

/// What the first bytes of the file tell. Whatever is not known is raw bytes.
pub(crate) fn detect(path: &Path) -> io::Result<Format> {
    let mut start = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut start)?;
    Ok(of(&start))
}

fn of(start: &[u8]) -> Format {
    match start {
        // pcap in either byte order, with micro- or nanoseconds; pcapng.
        [0xd4, 0xc3, 0xb2, 0xa1]
        | [0xa1, 0xb2, 0xc3, 0xd4]
        | [0x4d, 0x3c, 0xb2, 0xa1]
        | [0xa1, 0xb2, 0x3c, 0x4d]
        | [0x0a, 0x0d, 0x0d, 0x0a] => Format::Pcap,
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
