//! S-expressions: as text, for machines and for people, and as bytes.

use bin_prot::sexp::{Layout, ParseErrorKind, Parser};
use bin_prot::{BinRead, BinWrite, ReadErrorKind, Reader, Sexp, from_slice, to_vec};

use crate::chance::Chance;
use crate::memory::bounded;

/// Reads the bytes as a text of S-expressions, and as the encoding of one.
///
/// # Panics
/// What was read is not read again from what is printed or written of it.
pub fn sexps(bytes: &[u8]) {
    let mut chance = Chance::of(bytes);
    let all: Vec<_> = bounded(bytes.len(), || Parser::new(bytes).collect());
    let read: Vec<_> = all.iter().flatten().collect();
    match Sexp::parse(bytes) {
        Ok(only) => assert_eq!(read, [&only]),
        Err(error) => {
            assert!(error.offset <= bytes.len());
            let before = &bytes[..error.offset];
            let lines = before.iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(error.line, lines + 1);
            match error.kind {
                ParseErrorKind::Nothing => assert!(all.is_empty()),
                ParseErrorKind::More => assert!(read.len() > 1),
                _ => {
                    // The parser may have got as far in reading one after the other.
                    let last = all.last().expect("the same error");
                    assert!(last.as_ref().is_err_and(|last| *last == error) || read.len() > 1);
                }
            }
        }
    }
    for sexp in read {
        check(sexp, &mut chance);
    }
    let encoded = bounded(bytes.len(), || Sexp::bin_read(&mut Reader::new(bytes)));
    if let Ok(sexp) = encoded {
        let written = check(&sexp, &mut chance);
        assert!(written <= bytes.len());
    }
}

/// All forms of one S-expression; its size in bytes.
fn check(sexp: &Sexp, chance: &mut Chance) -> usize {
    let text = sexp.to_string();
    assert!(
        text.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        "{text}"
    );
    assert_eq!(Sexp::parse(text.as_bytes()).as_ref(), Ok(sexp));
    assert_eq!(
        Sexp::parse(sexp.to_string_hum().as_bytes()).as_ref(),
        Ok(sexp)
    );
    let widths = [0, 1, 2, 3, 10, 40, 79, 200, 100_000, usize::MAX];
    let indents = [0, 1, 2, 8, 70, 1_000, usize::MAX];
    let width = widths[chance.below(widths.len())];
    let indent = indents[chance.below(indents.len())];
    let printed = Layout::default().width(width).indent(indent).print(sexp);
    assert_eq!(
        Sexp::parse(printed.as_bytes()).as_ref(),
        Ok(sexp),
        "{printed}"
    );

    let bytes = to_vec(sexp).expect("every S-expression can be written");
    assert_eq!(bytes.len(), sexp.bin_size());
    assert_eq!(from_slice(&bytes).as_ref(), Ok(sexp));
    for length in chance.prefixes(bytes.len()) {
        let error = from_slice::<Sexp>(&bytes[..length]).expect_err("was cut");
        assert!(
            matches!(error.kind, ReadErrorKind::BufferShort { .. }),
            "{error}"
        );
    }
    bytes.len()
}
