//! Bytes as the specification prints them, and frames made of them.

use bin_prot::BinWrite;
use rpc_wire::frame;

/// The bytes of hex digits, with any spaces between.
#[track_caller]
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    assert!(digits.len().is_multiple_of(2), "half a byte in {text}");
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

/// The frame that holds `value`.
#[track_caller]
pub(crate) fn framed(value: &impl BinWrite) -> Vec<u8> {
    let mut frame = Vec::new();
    let size = value.bin_size();
    let appended = frame::append(&mut frame, frame::DEFAULT_LIMIT, size, |buffer| {
        value.bin_write(buffer)
    });
    assert_eq!(appended, Ok(size));
    frame
}

/// The body of the one frame that `bytes` consist of.
#[track_caller]
pub(crate) fn body(bytes: &[u8]) -> &[u8] {
    let (body, rest) = frame::split(bytes, frame::DEFAULT_LIMIT)
        .unwrap()
        .expect("a whole frame");
    assert!(rest.is_empty(), "{} bytes after the frame", rest.len());
    body
}
