//! Values of many types, there and back.

use std::collections::{BTreeMap, BTreeSet};

use bin_prot::library::{Date, Either, Month, TimeNs, TimeNsSpan};
use bin_prot::{Array, ByteString, Char, Info, Int63, Int64, Nativeint, Ref, Sexp};
use bytes::Bytes;

use crate::interop::check::{Outcome, call_for};
use crate::interop::rpcs::{ZOO, ZOO2};
use crate::interop::run::Run;
use crate::interop::zoo::{Polymorphic, Variant, Zoo, Zoo2};

/// The ends of OCaml's integers.
const MAX_INT: i64 = (1 << 62) - 1;
const MIN_INT: i64 = -(1 << 62);

/// The types of bin_prot itself.
pub(super) async fn zoo(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    for animals in zoos() {
        call_for(&connection, &ZOO, &animals, animals.clone()).await?;
    }
    Ok(())
}

/// Core's types, and nesting.
pub(super) async fn zoo2(run: &mut Run) -> Outcome {
    let connection = run.connection().await?;
    for animals in zoos2() {
        call_for(&connection, &ZOO2, &animals, animals.clone()).await?;
    }
    Ok(())
}

fn zoos() -> [Zoo; 4] {
    let ordinary = Zoo {
        i: 42,
        neg: -7,
        i32: -123_456,
        i64: Int64(0x0123_4567_89ab_cdef),
        f: std::f64::consts::PI,
        b: true,
        c: Char(b'Q'),
        s: "héllo".into(),
        u: (),
        o: Some(300),
        l: ["", "a", "bc"].map(ByteString::from).into(),
        a: Array(vec![
            0, 127, 128, -1, -128, -129, 32_767, 32_768, 65_535, 65_536, -32_768, -32_769,
        ]),
        t: (1, "two".into(), false),
        r: Err("nope".into()),
        v: Variant::C { x: 1.5, y: -2.25 },
        p: Polymorphic::Baz("z".into(), 9),
        tbl: vec![("k1".into(), 1), ("k2".into(), 2)],
        bytes: Bytes::from_static(&[0, 1, 0xfe, 0xff]),
        lz: 77,
    };
    let extreme = Zoo {
        i: MAX_INT,
        neg: MIN_INT,
        i32: i32::MIN,
        i64: Int64(i64::MIN),
        f: f64::NEG_INFINITY,
        b: false,
        c: Char(0),
        s: "".into(),
        u: (),
        o: None,
        l: vec![],
        a: Array(vec![]),
        t: (2_147_483_647, "t".repeat(130).into(), true),
        r: Ok(-2_147_483_649),
        v: Variant::A,
        p: Polymorphic::Foo,
        tbl: vec![],
        bytes: Bytes::new(),
        lz: -1,
    };
    let third = Zoo {
        i: 2_147_483_648,
        neg: -2_147_483_648,
        i32: 127,
        i64: Int64(200),
        f: 0.0,
        r: Ok(0),
        v: Variant::D(5, "five".into()),
        p: Polymorphic::Bar(-1),
        ..ordinary.clone()
    };
    let fourth = Zoo {
        // The least number above zero.
        f: f64::from_bits(1),
        v: Variant::B(1000),
        ..ordinary.clone()
    };
    [ordinary, extreme, third, fourth]
}

fn zoos2() -> [Zoo2; 3] {
    let date = |year, month, day| Date::new(year, month, day).expect("a day of the calendar");
    let sexp = Sexp::list([
        Sexp::atom("a"),
        Sexp::list([Sexp::atom("b c"), Sexp::atom("")]),
        Sexp::list([]),
    ]);
    let ordinary = Zoo2 {
        fa: Array(vec![1.0, 2.5, -3.0]),
        i63: Int63(-1),
        nat: Nativeint(1 << 40),
        re: Ref(5),
        nested: Some(vec![vec![], vec![1], vec![2, 300]]),
        fi: Either::First(-1),
        se: sexp.clone(),
        er: Info::from("plain"),
        oe: Ok(3),
        m: BTreeMap::from([("a".into(), 1), ("b".into(), -2)]),
        st: BTreeSet::from([-70_000, 0, 7]),
        h: vec![("x".into(), 1), ("w".into(), 2)],
        d: date(2024, Month::Feb, 29),
        tns: TimeNs::from_nanos(1_700_000_000_123_456_789),
        span: TimeNsSpan::from_nanos(-1_500_000),
        fu: (1, ("two".into(), (true, Char(b'4')))),
    };
    let extreme = Zoo2 {
        fa: Array(vec![f64::INFINITY, f64::MIN_POSITIVE, -0.0]),
        i63: Int63(MIN_INT),
        nat: Nativeint(i64::MIN),
        re: Ref(MAX_INT),
        nested: None,
        fi: Either::Second("second".into()),
        se: Sexp::atom(""),
        er: Info::Sexp(sexp.clone()).tag("a tag"),
        oe: Err(Info::Sexp(sexp)),
        m: BTreeMap::new(),
        st: BTreeSet::from([MIN_INT, MAX_INT]),
        h: vec![],
        d: date(0, Month::Jan, 1),
        tns: TimeNs::from_nanos(0),
        span: TimeNsSpan::from_nanos(MAX_INT),
        fu: (MIN_INT, ("".into(), (false, Char(0xff)))),
    };
    let errors = Zoo2 {
        fa: Array(vec![]),
        nested: Some(vec![]),
        er: Info::OfList(None, vec![Info::from("one"), Info::Exn(Sexp::atom("two"))]),
        oe: Err(Info::from("bad")),
        d: date(9999, Month::Dec, 31),
        tns: TimeNs::from_nanos(-1),
        ..ordinary.clone()
    };
    [ordinary, extreme, errors]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value that is not written in full would make a case that passes for nothing.
    #[test]
    fn animals_survive_our_own_encoding() {
        for animals in zoos() {
            let bytes = bin_prot::to_vec(&animals).unwrap();
            assert_eq!(bin_prot::from_slice::<Zoo>(&bytes).unwrap(), animals);
        }
        for animals in zoos2() {
            let bytes = bin_prot::to_vec(&animals).unwrap();
            assert_eq!(bin_prot::from_slice::<Zoo2>(&bytes).unwrap(), animals);
        }
    }
}
