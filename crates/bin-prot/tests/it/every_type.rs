//! Every type that has an encoding of its own: what was written is read back, with the size that
//! was promised, and nothing of it can be left out (*bin_prot* §2 to §11).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bin_prot::library::{
    ByteUnits, ByteUnitsV1, Date, DateOption, DayOfWeek, Deque, Either, Fdeque, HostAndPort,
    LinkedQueue, Md5AsBinaryString, Month, NonemptyList, NonemptyListV1, NonemptyListV2, Percent,
    PercentOption, PercentOptionV2, PercentV1, PercentV2, PolyHashtbl, PolyMap, PolySet, SetOnce,
    StdlibDigest, TimeFloat, TimeFloatOfday, TimeFloatOfdayZoned, TimeFloatSpan, TimeNs,
    TimeNsOfday, TimeNsOfdayOption, TimeNsOfdayZoned, TimeNsOption, TimeNsSpan, TimeNsSpanOption,
    Utf8, Uuid, Zone,
};
use bin_prot::shape::Digest;
use bin_prot::{
    Array, Blob, ByteString, Char, Float32Mat, Float32Vec, Float64Mat, Float64Vec, FloatArray,
    FloatVec, Hashtbl, Int8Bit, Int16Bit, Int32Bit, Int32Bits, Int63, Int64, Int64Bit, Int64Bits,
    Mat, Nat0, Nativeint, Network16Int, Network32Int, Network32Int32, Network64Int, Network64Int64,
    OpaqueBlob, OrNull, Ref, UnitV2, VariantInt,
};
use bytes::Bytes;
use proptest::collection::{btree_map, btree_set, hash_map, hash_set, vec};
use proptest::option;
use proptest::prelude::*;

use crate::properties::check_round_trip;

/// A number that fits 63 bits, of every length.
fn int() -> impl Strategy<Value = i64> {
    (any::<i64>(), 1_u32..64).prop_map(|(number, shift)| number >> shift)
}

fn text() -> impl Strategy<Value = ByteString> {
    vec(any::<u8>(), 0..20).prop_map(ByteString)
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 16]>().prop_map(Digest)
}

fn date() -> impl Strategy<Value = Date> {
    (0_u16..=9999, 0_usize..12, 1_u8..=31).prop_filter_map("no such day", |(year, month, day)| {
        Date::new(year, Month::ALL[month], day)
    })
}

fn queue() -> impl Strategy<Value = VecDeque<i64>> {
    (vec(int(), 0..5), 0_usize..5).prop_map(|(items, turns)| {
        // Its beginning need not be that of its memory.
        let mut queue = VecDeque::from(items);
        for _ in 0..turns {
            if let Some(item) = queue.pop_front() {
                queue.push_back(item);
            }
        }
        queue
    })
}

/// Rows, columns, and enough numbers for both.
fn matrix() -> impl Strategy<Value = (usize, usize, Vec<f32>)> {
    (0_usize..5, 0_usize..5, vec(any::<f32>(), 16))
}

macro_rules! read_back {
    ($($name:ident: $value:expr;)*) => {
        proptest! {$(
            #[test]
            fn $name(value in $value) {
                check_round_trip(&value)?;
            }
        )*}
    };
}
read_back! {
    ints: (int(), int().prop_map(Int63), any::<i32>());
    ints_of_64_bits: (any::<i64>().prop_map(Int64), any::<i64>().prop_map(Nativeint));
    natural_numbers: int().prop_map(|number| Nat0(number.unsigned_abs()));
    narrow_ints: any::<(i8, i16, u16, u32)>();
    broad_ints: int().prop_map(|number| (number.unsigned_abs() >> 1, (number >> 2).unsigned_abs() as usize));
    bits: (any::<u8>().prop_map(Int8Bit), any::<u16>().prop_map(Int16Bit), any::<i32>().prop_map(Int32Bit));
    int_64bits: int().prop_map(Int64Bit);
    exact_bits: (any::<i32>().prop_map(Int32Bits), any::<i64>().prop_map(Int64Bits));
    network_ints: (
        any::<u16>().prop_map(Network16Int),
        any::<i32>().prop_map(Network32Int),
        any::<i32>().prop_map(Network32Int32),
        int().prop_map(Network64Int),
        any::<i64>().prop_map(Network64Int64),
    );
    variant_ints: (-(1_i32 << 30)..(1 << 30)).prop_map(VariantInt);
    scalars: (any::<bool>(), Just(()), any::<u8>().prop_map(Char), any::<f64>(), any::<char>());
    nothing: (Just(UnitV2), vec(Just(UnitV2), 0..200));
    strings: (any::<String>(), text(), vec(any::<u8>(), 0..20), text().prop_map(|text| Bytes::from(text.0)));
    digests: (digest(), digest().prop_map(StdlibDigest), digest().prop_map(Md5AsBinaryString));
    options: (option::of(option::of(int())), option::of(text()).prop_map(OrNull));
    pointers: (int().prop_map(Ref), text().prop_map(Box::new), int().prop_map(Arc::new));
    results: prop::result::maybe_ok(int(), text());
    lists: (vec(vec(int(), 0..3), 0..4), vec(text(), 0..4).prop_map(Array));
    tuples: (int(), text(), any::<bool>(), int(), int(), text(), any::<bool>());
    sets: (btree_set(int(), 0..6), btree_set(text(), 0..4).prop_map(PolySet));
    maps: (btree_map(int(), text(), 0..6), btree_map(text(), int(), 0..4).prop_map(PolyMap));
    tables: (hash_map(int(), text(), 0..6), hash_set(text(), 0..4));
    other_tables: (
        hash_map(int(), any::<bool>(), 0..6).prop_map(Hashtbl),
        hash_map(int(), any::<bool>(), 0..6).prop_map(PolyHashtbl),
    );
    queues: (
        queue(),
        queue().prop_map(Deque),
        queue().prop_map(Fdeque),
        queue().prop_map(LinkedQueue),
    );
    lists_that_are_not_empty: (int(), vec(int(), 0..5)).prop_map(|(head, tail)| (
        NonemptyList::new(head, tail.clone()),
        NonemptyListV1(head, tail.clone()),
        NonemptyListV2 { hd: head, tl: tail },
    ));
    arrays_of_floats: vec(any::<f64>(), 0..6).prop_map(|floats| (
        FloatArray(floats.clone()),
        FloatVec(floats.clone()),
        Float64Vec(floats),
    ));
    arrays_of_narrow_floats: vec(any::<f32>(), 0..6).prop_map(Float32Vec);
    matrices: matrix().prop_map(|(rows, columns, numbers)| {
        let wide = |row: usize, column: usize| f64::from(numbers[4 * row + column]);
        (
            Mat::from_fn(rows.min(4), columns.min(4), wide),
            Float64Mat::from_fn(columns.min(4), rows.min(4), wide),
            Float32Mat::from_fn(rows.min(4), columns.min(4), |row, column| numbers[4 * row + column]),
        )
    });
    blobs: (int().prop_map(Blob), text().prop_map(|text| Blob(Blob(text))), text().prop_map(|text| OpaqueBlob(text.0.into())));
    choices: prop_oneof![int().prop_map(Either::First), text().prop_map(Either::Second)];
    what_is_set_once: option::of(text()).prop_map(SetOnce);
    instants: (int().prop_map(TimeNs::from_nanos), any::<f64>().prop_map(TimeFloat::from_secs));
    spans: (int().prop_map(TimeNsSpan::from_nanos), any::<f64>().prop_map(TimeFloatSpan::from_secs));
    times_of_day: (int().prop_map(TimeNsOfday::from_nanos), any::<f64>().prop_map(TimeFloatOfday::from_secs));
    optional_times: (
        option::of(int().prop_map(TimeNs::from_nanos)).prop_map(TimeNsOption),
        option::of(int().prop_map(TimeNsSpan::from_nanos)).prop_map(TimeNsSpanOption),
        option::of(int().prop_map(TimeNsOfday::from_nanos)).prop_map(TimeNsOfdayOption),
    );
    zoned_times: (int(), any::<f64>(), text()).prop_map(|(nanos, seconds, zone)| (
        TimeNsOfdayZoned { ofday: TimeNsOfday::from_nanos(nanos), zone: Zone(zone.clone()) },
        TimeFloatOfdayZoned { ofday: TimeFloatOfday::from_secs(seconds), zone: Zone(zone) },
    ));
    dates: (date(), option::of(date()).prop_map(DateOption), date().prop_map(Date::month));
    days_of_the_week: prop_oneof![Just(DayOfWeek::Sun), Just(DayOfWeek::Wed), Just(DayOfWeek::Sat)];
    percents: any::<f64>().prop_map(|share| (Percent(share), PercentV1(share), PercentV2(share)));
    optional_percents: option::of(any::<f64>()).prop_map(|share| (
        PercentOption(share.map(Percent)),
        PercentOptionV2(share.map(PercentV2)),
    ));
    units_of_bytes: (int().prop_map(ByteUnits), any::<f64>().prop_map(ByteUnitsV1));
    texts_with_a_meaning: (
        text().prop_map(Uuid),
        any::<String>().prop_map(Utf8),
        (text(), int()).prop_map(|(host, port)| HostAndPort(host, port)),
    );
}

/// Their entries come in another order each time, at each level.
#[test]
fn tables_of_tables_are_read_back() {
    let inner = HashMap::from([(1_i64, HashSet::from([true]))]);
    let outer = HashMap::from([(ByteString::from("a"), inner)]);
    check_round_trip(&outer).unwrap();
}
