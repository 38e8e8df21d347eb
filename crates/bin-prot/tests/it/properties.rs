//! What holds for all values and all bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use bin_prot::dynamic::{ErrorKind, Type};
use bin_prot::sexp::Layout;
use bin_prot::shape::{BinShape, Digest};
use bin_prot::{
    Array, BinProt, BinReadOwned, BinWrite, Blob, ByteString, Char, Info, Int16Bit, Int63, Int64,
    Nat0, Nativeint, OrNull, Reader, Sexp, SourcePosition, from_slice, to_vec,
};
use bytes::Bytes;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

/// A type of each kind that the derive makes.
#[derive(Clone, Debug, PartialEq, BinProt)]
struct Everything {
    scalars: Scalars,
    text: (ByteString, String, Bytes),
    nested: Vec<Option<Vec<bool>>>,
    sums: Array<(Sum, Row)>,
    set: BTreeSet<i64>,
    map: BTreeMap<ByteString, Result<(), i32>>,
    bytes: OrNull<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, BinProt)]
struct Scalars(
    (i64, i32, Int64, Nativeint),
    (Int63, Nat0, Char, f64),
    (i8, i16, u16, u32),
    Digest,
);

#[derive(Clone, Debug, PartialEq, BinProt)]
enum Sum {
    Nothing,
    One(i64),
    Two(i64, String),
    Record { text: String, rest: Vec<i64> },
}

#[derive(Clone, Debug, PartialEq, BinProt)]
#[bin_prot(polymorphic)]
enum Row {
    Nothing,
    One(i64),
    Two(i64, String),
}

fn int() -> impl Strategy<Value = i64> {
    // Numbers of every length, and not only long ones.
    (any::<i64>(), 2_u32..64).prop_map(|(number, shift)| number >> shift)
}

fn scalars() -> impl Strategy<Value = Scalars> {
    let long = (int(), any::<i32>(), any::<i64>(), any::<i64>())
        .prop_map(|(int, int32, int64, native)| (int, int32, Int64(int64), Nativeint(native)));
    let natural =
        (int(), int(), any::<u8>(), any::<f64>()).prop_map(|(int63, nat0, char, float)| {
            (Int63(int63), Nat0(nat0.unsigned_abs()), Char(char), float)
        });
    (
        long,
        natural,
        any::<(i8, i16, u16, u32)>(),
        any::<[u8; 16]>(),
    )
        .prop_map(|(long, natural, short, digest)| Scalars(long, natural, short, Digest(digest)))
}

fn bytes() -> impl Strategy<Value = ByteString> {
    vec(any::<u8>(), 0..200).prop_map(ByteString)
}

fn sum() -> impl Strategy<Value = Sum> {
    prop_oneof![
        Just(Sum::Nothing),
        int().prop_map(Sum::One),
        (int(), any::<String>()).prop_map(|(number, text)| Sum::Two(number, text)),
        (any::<String>(), vec(int(), 0..4)).prop_map(|(text, rest)| Sum::Record { text, rest }),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    prop_oneof![
        Just(Row::Nothing),
        int().prop_map(Row::One),
        (int(), any::<String>()).prop_map(|(number, text)| Row::Two(number, text)),
    ]
}

fn everything() -> impl Strategy<Value = Everything> {
    let text = (
        bytes(),
        any::<String>(),
        bytes().prop_map(|bytes| Bytes::from(bytes.0)),
    );
    let nested = vec(option::of(vec(any::<bool>(), 0..4)), 0..4);
    let sums = vec((sum(), row()), 0..4).prop_map(Array);
    let set = btree_set(int(), 0..8);
    let map = btree_map(
        bytes(),
        prop::result::maybe_ok(Just(()), any::<i32>()),
        0..8,
    );
    let bytes = option::of(vec(any::<u8>(), 0..8)).prop_map(OrNull);
    (scalars(), text, nested, sums, set, map, bytes).prop_map(
        |(scalars, text, nested, sums, set, map, bytes)| Everything {
            scalars,
            text,
            nested,
            sums,
            set,
            map,
            bytes,
        },
    )
}

fn sexp() -> impl Strategy<Value = Sexp> {
    bytes()
        .prop_map(Sexp::Atom)
        .prop_recursive(6, 32, 4, |inner| vec(inner, 0..4).prop_map(Sexp::List))
}

fn position() -> impl Strategy<Value = SourcePosition> {
    (bytes(), int(), int(), int()).prop_map(|(file, line, line_start, offset)| SourcePosition {
        file,
        line,
        line_start,
        offset,
    })
}

fn info() -> impl Strategy<Value = Info> {
    let leaf = prop_oneof![
        bytes().prop_map(Info::String),
        sexp().prop_map(Info::Sexp),
        sexp().prop_map(Info::Exn),
        sexp().prop_map(Info::CouldNotConstruct),
        (bytes(), sexp(), option::of(position()))
            .prop_map(|(tag, sexp, position)| Info::TagSexp(tag, sexp, position)),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            (bytes(), inner.clone()).prop_map(|(tag, info)| info.tag(tag)),
            (bytes(), sexp(), inner.clone()).prop_map(|(tag, sexp, info)| Info::TagArg(
                tag,
                sexp,
                Box::new(info)
            )),
            (option::of(int()), vec(inner.clone(), 0..3))
                .prop_map(|(cut, infos)| Info::OfList(cut, infos)),
            (inner, bytes())
                .prop_map(|(info, backtrace)| Info::WithBacktrace(Box::new(info), backtrace)),
        ]
    })
}

/// What was written is read back, in the promised size, and nothing of it can be left out.
pub(crate) fn check_round_trip<T>(value: &T) -> Result<(), TestCaseError>
where
    T: BinReadOwned + BinWrite + PartialEq + Debug,
{
    let bytes = to_vec(value).unwrap();
    prop_assert_eq!(bytes.len(), value.bin_size());
    prop_assert_eq!(&from_slice::<T>(&bytes).unwrap(), value);
    prop_assert!(bytes.len() >= T::MIN_SIZE);
    for length in 0..bytes.len() {
        prop_assert!(
            from_slice::<T>(&bytes[..length]).is_err(),
            "cut at {}",
            length
        );
    }
    Ok(())
}

/// Whatever can be read can be written, and what was written is read as the same.
fn check_any_bytes<T: BinReadOwned + BinWrite + PartialEq + Debug>(
    bytes: &[u8],
) -> Result<(), TestCaseError> {
    let mut reader = Reader::new(bytes);
    if let Ok(value) = T::bin_read(&mut reader) {
        prop_assert!(reader.offset() <= bytes.len());
        let canonical = to_vec(&value).unwrap();
        prop_assert!(canonical.len() <= reader.offset());
        let again: T = from_slice(&canonical).unwrap();
        prop_assert_eq!(to_vec(&again).unwrap(), canonical);
    }
    Ok(())
}

/// A Rust type and its shape alone make the same of any bytes.
fn check_dynamic<T: BinReadOwned + BinWrite + BinShape>(bytes: &[u8]) -> Result<(), TestCaseError> {
    let ty = Type::new(&T::bin_shape()).unwrap();
    let mut reader = Reader::new(bytes);
    let mut dynamic_reader = Reader::new(bytes);
    match (T::bin_read(&mut reader), ty.read(&mut dynamic_reader)) {
        (Ok(value), Ok(dynamic)) => {
            prop_assert_eq!(reader.offset(), dynamic_reader.offset());
            let canonical = to_vec(&value).unwrap();
            prop_assert_eq!(ty.size(&dynamic).unwrap(), canonical.len());
            // A set without a type stays in the order in which it came.
            let again: T = from_slice(&ty.to_vec(&dynamic).unwrap()).unwrap();
            prop_assert_eq!(to_vec(&again).unwrap(), canonical);
            prop_assert_eq!(ty.parse_sexp(&dynamic.to_sexp()).unwrap(), dynamic);
        }
        (Err(error), Err(dynamic)) => {
            prop_assert_eq!(dynamic.kind(), &ErrorKind::Read(error));
        }
        (read, dynamic) => prop_assert!(false, "{:?}, {dynamic:?}", read.map(|_| ())),
    }
    Ok(())
}

proptest! {
    #[test]
    fn values_are_the_same_without_their_type(value in everything()) {
        let bytes = to_vec(&value).unwrap();
        let ty = Type::new(&Everything::bin_shape()).unwrap();
        let dynamic = ty.from_slice(&bytes).unwrap();
        prop_assert_eq!(ty.size(&dynamic).unwrap(), bytes.len());
        prop_assert_eq!(ty.to_vec(&dynamic).unwrap(), bytes);
    }

    #[test]
    fn bytes_are_the_same_without_their_type(bytes in vec(0_u8..10, 0..60)) {
        check_dynamic::<Info>(&bytes)?;
        check_dynamic::<Vec<(ByteString, Option<i64>)>>(&bytes)?;
        check_dynamic::<BTreeMap<i64, Array<bool>>>(&bytes)?;
        check_dynamic::<Result<BTreeSet<i64>, OrNull<()>>>(&bytes)?;
        check_dynamic::<Vec<Blob<Int16Bit>>>(&bytes)?;
    }

    #[test]
    fn what_was_written_is_read_back(value in everything()) {
        check_round_trip(&value)?;
    }

    #[test]
    fn sexps_are_read_back(value in sexp()) {
        check_round_trip(&value)?;
    }

    /// Also: no line is longer than the layout's width, unless an atom is.
    #[test]
    fn sexps_are_read_back_from_text(value in sexp(), width in 2_usize..100, indent in 0_usize..4) {
        prop_assert_eq!(&value.to_string().parse::<Sexp>().unwrap(), &value);
        prop_assert_eq!(&value.to_string_hum().parse::<Sexp>().unwrap(), &value);
        let text = Layout::default().width(width).indent(indent).print(&value);
        prop_assert_eq!(&text.parse::<Sexp>().unwrap(), &value);
    }

    #[test]
    fn what_fits_is_one_line(words in vec("[a-z]{1,5}", 1..12)) {
        let sexp = Sexp::list(words.iter().map(|word| Sexp::atom(word.as_str())));
        let line = format!("({})", words.join(" "));
        let text = Layout::default().width(30).print(&sexp);
        prop_assert_eq!(text.lines().count() == 1, line.len() < 30);
        prop_assert!(text.lines().all(|line| line.len() <= 30));
        prop_assert_eq!(text.replace("\n ", " "), line);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in r#"[ab \n()";#|\\0-9x]{0,60}"#) {
        if let Ok(sexp) = Sexp::parse(text.as_bytes()) {
            prop_assert_eq!(sexp.to_string().parse(), Ok(sexp));
        }
    }

    #[test]
    fn infos_are_read_back_and_shown(value in info()) {
        check_round_trip(&value)?;
        prop_assert!(value.to_sexp().to_string().is_ascii());
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..300)) {
        check_any_bytes::<Everything>(&bytes)?;
        check_any_bytes::<Scalars>(&bytes)?;
        check_any_bytes::<Vec<Sum>>(&bytes)?;
        check_any_bytes::<Vec<Row>>(&bytes)?;
        check_any_bytes::<Sexp>(&bytes)?;
        check_any_bytes::<Info>(&bytes)?;
    }

    /// Small bytes are tags and short counts, so these get further before they fail.
    #[test]
    fn no_small_bytes_make_a_reader_panic(bytes in vec(0_u8..10, 0..300)) {
        check_any_bytes::<Everything>(&bytes)?;
        check_any_bytes::<Sexp>(&bytes)?;
        check_any_bytes::<Info>(&bytes)?;
        check_any_bytes::<BTreeMap<i64, Vec<Sum>>>(&bytes)?;
    }

    #[test]
    fn changed_bytes_make_no_reader_panic(
        value in everything(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = to_vec(&value).unwrap();
        *place.get_mut(&mut bytes) = byte;
        check_any_bytes::<Everything>(&bytes)?;
    }
}
