//! Shapes: as text, as bytes, and what they evaluate to.

mod declared;

use bin_prot::dynamic::Type;
use bin_prot::shape::{Digest, Shape};
use bin_prot::{BinRead, BinWrite, Reader, Sexp, from_slice, to_vec};

use crate::memory::bounded;
use crate::plan;

/// How deep shapes may be, once evaluated.
const LEVELS: usize = 200;

/// Reads the bytes as the text of a shape, as the encoding of one, and as one in compact notation.
///
/// # Panics
/// A shape's digest is not that of *shapes* §5 and §6, or another one once it was printed, or
/// written, and read again.
pub fn shapes(bytes: &[u8]) {
    if let Ok(sexp) = Sexp::parse(bytes) {
        match bounded(bytes.len(), || Shape::from_sexp(&sexp)) {
            Ok(shape) => check(&shape, &sexp),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    let mut reader = Reader::new(bytes);
    let encoded = bounded(bytes.len(), || Shape::bin_read(&mut reader));
    match (encoded, Sexp::bin_read(&mut Reader::new(bytes))) {
        (Ok(shape), Ok(sexp)) => check(&shape, &sexp),
        (Err(_), Ok(sexp)) => assert!(Shape::from_sexp(&sexp).is_err()),
        (Err(error), Err(expected)) => assert_eq!(error, expected),
        (Ok(_), Err(error)) => panic!("{error}, but it is a shape"),
    }
    let planned = plan::decode(bytes).shape;
    check(&planned, &planned.to_sexp());
}

fn check(shape: &Shape, sexp: &Sexp) {
    let digest = check_digest(shape, sexp);
    // Groups in groups may be few bytes and a very long text.
    if declared::uses(sexp) > 12 {
        return;
    }
    let text = shape.to_sexp();
    let again = Shape::from_sexp(&text).expect("what was printed can be parsed");
    assert_eq!(digest_of(&again), digest);
    let printed = text.to_string_hum().parse();
    assert_eq!(printed.as_ref(), Ok(&text));

    let written = to_vec(shape).expect("every shape can be written");
    assert_eq!(written.len(), shape.bin_size());
    // Printed, a shape in few bytes may be deeper than anybody reads.
    if let Ok(again) = from_slice::<Shape>(&written) {
        assert_eq!(digest_of(&again), digest);
    }
}

fn digest_of(shape: &Shape) -> Option<Digest> {
    let canonical = shape.canonical_within(LEVELS);
    canonical.ok().map(|canonical| canonical.digest())
}

fn check_digest(shape: &Shape, sexp: &Sexp) -> Option<Digest> {
    let canonical = shape.canonical_within(LEVELS);
    match (declared::digest(sexp), &canonical) {
        (Ok(expected), Ok(found)) => assert_eq!(found.digest(), expected, "{sexp}"),
        (Err(declared::Failure::NoType), Ok(found)) => panic!("{found} of {sexp}"),
        // Where the declared twin has given up, what it would have met next is not known.
        (Ok(_), Err(error)) => {
            use bin_prot::shape::ShapeError;
            let is_limit = matches!(
                error,
                ShapeError::TooDeep(_) | ShapeError::TooLarge(_) | ShapeError::Endless(_)
            );
            assert!(is_limit, "{error}: {sexp}");
        }
        (Err(_), _) => {}
    }
    if let Err(error) = &canonical {
        assert!(!error.to_string().is_empty());
    }
    let digest = canonical.ok()?.digest();
    assert_eq!(digest.to_string().parse(), Ok(digest));
    if let Ok(ty) = Type::new(shape) {
        drop(ty);
    }
    Some(digest)
}
