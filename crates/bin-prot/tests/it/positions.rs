//! Errors are at the code, tag or length that is wrong, however the type is known.

use bin_prot::dynamic::{ErrorKind, Type};
use bin_prot::shape::Shape;
use bin_prot::{
    Array, BinProt, BinRead, BinReadOwned, BinShape, Char, Nat0, ReadError, ReadErrorKind, Reader,
    from_slice,
};

#[derive(BinProt, Debug)]
enum Small {
    A,
    B(i64),
}

#[derive(BinProt, Debug)]
#[bin_prot(polymorphic)]
enum Polymorphic {
    A,
    #[bin_prot(inherit)]
    Included(Included),
}

#[derive(BinProt, Debug)]
#[bin_prot(polymorphic)]
enum Included {
    B(Small),
}

/// Reads `bytes` behind three others, as a type known now and as one known at run time.
#[track_caller]
fn check<T: BinReadOwned + BinShape + std::fmt::Debug>(bytes: &[u8], expected: (usize, &str)) {
    const BEFORE: &[u8] = &[0xfe, 0xc8, 0x00];
    let bytes = [BEFORE, bytes].concat();
    let error = from_slice::<(i64, T)>(&bytes).unwrap_err();
    let found = (error.offset - BEFORE.len(), error.kind.reference_name());
    assert_eq!(found, (expected.0, Some(expected.1)), "{error}");

    let ty = Type::new(&<(i64, T)>::bin_shape()).unwrap();
    let dynamic = ty.from_slice(&bytes).unwrap_err();
    assert_eq!(*dynamic.kind(), ErrorKind::Read(error));
}

/// *Bin_prot* §12.
#[test]
fn error_is_at_the_first_byte_that_is_wrong() {
    check::<bool>(&[2], (0, "Bool_code"));
    check::<()>(&[1], (0, "Unit_code"));
    check::<Option<i64>>(&[2], (0, "Option_code"));
    check::<i64>(&[0x80], (0, "Int_code"));
    check::<i64>(&[0xff, 0x01], (0, "Neg_int8"));
    check::<Nat0>(&[0xff], (0, "Nat0_code"));
    check::<(Char, bool)>(&[b'a', 9], (1, "Bool_code"));
    check::<Vec<bool>>(&[3, 1, 0, 7], (3, "Bool_code"));
    check::<String>(&[0x80], (0, "Nat0_code"));
    check::<Result<i64, String>>(&[2, 0], (0, "Sum_tag"));
    check::<Small>(&[2], (0, "Sum_tag"));
    check::<Array<Small>>(&[2, 0, 5], (2, "Sum_tag"));
    check::<Small>(&[1, 0x80], (1, "Int_code"));
}

#[test]
fn error_of_a_polymorphic_variant_is_at_its_four_bytes() {
    check::<Polymorphic>(&[0x84, 0, 0, 0], (0, "Variant_tag"));
    check::<Polymorphic>(&[0x87, 0, 0, 0], (0, "Variant"));
    // The second constructor is an included one, which reads the tag again.
    let b = bin_prot::variant::tag("B");
    check::<Polymorphic>(&[&b[..], &[2]].concat(), (4, "Sum_tag"));
    check::<Vec<Polymorphic>>(
        &[&[2][..], &b, &[0], &[0x87, 0, 0, 0]].concat(),
        (6, "Variant"),
    );
}

/// *Bin_prot* §12: the reference gives the offset behind an unknown tag.
#[test]
fn positions_of_the_reference_can_be_told() {
    let position = |kind| ReadError { kind, offset: 10 }.reference_position();
    let tag = |constructors| ReadErrorKind::SumTag {
        tag: 300,
        constructors,
    };
    assert_eq!(position(tag(256)), Some(11));
    assert_eq!(position(tag(257)), Some(12));
    assert_eq!(position(ReadErrorKind::Variant(5)), Some(14));
    let too_long = |count| ReadErrorKind::ListTooLong { count, limit: 5 };
    assert_eq!(position(too_long(6)), Some(11));
    assert_eq!(position(too_long(1 << 40)), Some(19));
    assert_eq!(position(ReadErrorKind::VariantTag(4)), Some(10));
    assert_eq!(position(ReadErrorKind::BoolCode(2)), Some(10));
    let short = ReadErrorKind::BufferShort { needed: 2, left: 1 };
    assert_eq!(position(short), None);
    assert_eq!(position(ReadErrorKind::NotUtf8), None);
}

/// A type of more than 256 constructors has tags of two bytes.
#[test]
fn error_of_a_wide_tag_is_at_its_first_byte() {
    let names: Vec<_> = (0..257).map(|number| format!("C{number}")).collect();
    let constructors = names.iter().map(|name| (name.as_str(), vec![]));
    let shape = Shape::tuple([i64::bin_shape(), Shape::variant(constructors)]);
    let expected = ReadErrorKind::SumTag {
        tag: 257,
        constructors: 257,
    };
    let bytes = [0, 1, 1];
    let error = Type::new(&shape).unwrap().from_slice(&bytes).unwrap_err();
    let ErrorKind::Read(error) = error.kind() else {
        panic!("{error}");
    };
    assert_eq!((error.kind, error.offset), (expected, 1));

    let mut reader = Reader::new(&bytes);
    assert_eq!(i64::bin_read(&mut reader), Ok(0));
    let error = bin_prot::variant::read_wide_tag(&mut reader, 257).unwrap_err();
    assert_eq!((error.kind, error.offset), (expected, 1));
}
