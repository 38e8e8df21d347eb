//! The library's types: their digests, and what reading them refuses.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use bin_prot::library::*;
use bin_prot::shape::BinShape;
use bin_prot::{
    BinReadOwned, Blob, ByteString, Hashtbl, IgnoredBlob, InfoV1, OpaqueBlob, ReadErrorKind,
    from_slice, to_vec,
};

/// The table of *shapes* §13.
#[test]
fn digests_are_those_of_the_reference() {
    #[track_caller]
    fn check<T: BinShape>(digest: &str) {
        assert_eq!(T::bin_shape().digest().unwrap().to_string(), digest);
    }

    check::<StdlibDigest>("8f4c5e3dc82a5bf5b19f5df46ea8d490");
    check::<Percent>("320416d3338cb49f5c3ce6b8632f7717");
    check::<PercentV2>("608ef16f40e15a75b1942a12465f47df");
    check::<PercentOption>("21451618c9bda19b005e0ba1e4abbd2a");
    check::<PercentOptionV2>("7d0312ebcdefb728502ea27a959a389b");
    check::<NonemptyList<i64>>("eaa5c1535ea5c1691291b3bdbbd7b014");
    check::<NonemptyListV2<i64>>("2aede2e9b03754f5dfa5f1a61877b330");
    check::<NonemptyListV1<i64>>("f27871ef428aef2925f18d6be687bf9c");
    check::<Month>("83816421e82e1f266df3d6d5f3ae3025");
    check::<TimeNs>("2b528f4b22f08e28876ffe0239315ac2");
    check::<HostAndPort>("957990f0fc4161fb874e66872550fb40");
    check::<Utf8>("0fae4a3589e35c8bf51b9052f31761d0");
    check::<Nothing>("67e248d3b3dd2a1dc1cffedfb76277f3");
    check::<TimeFloatOfdayZoned>("490573c3397b4fe37e8ade0086fb4759");
    check::<TimeNsOfdayZoned>("116be3b907c3a1807e5fbf3e7677c018");
    check::<BTreeSet<TimeFloat>>("4e7cbf6fe56bd628b963b7f8259e58bf");
    check::<BTreeMap<TimeFloat, i64>>("31404094f08cdbe1f9fca07a1a1e5303");
    check::<OrError<i64>>("ce7928a05bd6e1c5ac297c653c6aafa2");
    check::<Hashtbl<i64, ByteString>>("a755e14844f217231e06a0a6cc5040d8");
    check::<Blob<ByteString>>("f249af194f9df78b3224788ac01cc71f");
    check::<InfoV1>("832b40ae394f2851da8ba67b3339b429");
}

/// The shapes of *shapes* §10 that have no golden digest.
#[test]
fn shapes_are_the_documented_ones() {
    #[track_caller]
    fn check<T: BinShape>(canonical: &str) {
        assert_eq!(T::bin_shape().canonical().unwrap().to_string(), canonical);
    }

    let within = |own: &str, sequence: &str, element: &str| {
        format!("(Base {own}((Base {sequence}({element}))))")
    };
    let int = "(Base int())";
    let pair = "(Tuple((Base int())(Base bool())))";
    let [i0, i1, i2] = [
        "6592371a-4994-11e6-923a-7748e4182764",
        "ac8a9ff4-4994-11e6-9a1b-9fb4e933bd9d",
        "b4e54ad2-4994-11e6-b8df-87c2997f9f52",
    ];
    check::<PolySet<i64>>(&within("88bcc478-4992-11e6-a95d-ff4831acf410", i1, int));
    check::<PolyMap<i64, bool>>(&within("b7d7b1a0-4992-11e6-8a32-bbb221fa025c", i2, pair));
    check::<HashMap<i64, bool>>(&within("8fabab0a-4992-11e6-8cca-9ba2c4686d9e", i1, pair));
    check::<PolyHashtbl<i64, bool>>(&within("8f3e445c-4992-11e6-a279-3703be311e7b", i2, pair));
    check::<HashSet<i64>>(&within("ad381672-4992-11e6-9e36-b76dc8cd466f", i0, int));
    check::<VecDeque<i64>>(&within("b4c84254-4992-11e6-9ba7-734e154027bd", i1, int));
    check::<Deque<i64>>(&within("34c1e9ca-4992-11e6-a686-8b4bd4f87796", i1, int));
    check::<Fdeque<i64>>(&within("83f96982-4992-11e6-919d-fbddcfdca576", i1, int));
    check::<LinkedQueue<i64>>(&within("800df9a0-4992-11e6-881d-ffe1a5c8aced", i1, int));
    check::<OpaqueBlob>("(Base 85a1f76e-490a-11e6-86a9-5bef585f2602())");
    check::<ByteUnits>("(Base int63())");
    check::<ByteUnitsV1>("(Base float())");
    check::<TimeNsSpanOption>("(Base int63())");
    check::<TimeFloatSpan>("(Base float())");
    check::<Uuid>("(Base string())");
    check::<Zone>("(Base string())");
    check::<Md5AsBinaryString>("(Base string())");
}

#[track_caller]
fn check_error<T: BinReadOwned>(bytes: &[u8], expected: ReadErrorKind) {
    match from_slice::<T>(bytes) {
        Ok(_) => panic!("was read"),
        Err(error) => assert_eq!(error.kind, expected),
    }
}

#[test]
fn what_a_type_excludes_is_refused() {
    check_error::<Month>(
        &[12],
        ReadErrorKind::SumTag {
            tag: 12,
            constructors: 12,
        },
    );
    check_error::<Nothing>(&[], ReadErrorKind::EmptyType);
    // A surrogate is no scalar value.
    let surrogate = to_vec(&0xd800_i64).unwrap();
    check_error::<char>(&surrogate, ReadErrorKind::OutOfRange(0xd800));
    check_error::<char>(&[0xff, 0xff], ReadErrorKind::OutOfRange(-1));
    check_error::<NonemptyList<i64>>(&[0], ReadErrorKind::Invalid("the list is empty"));
    check_error::<Md5AsBinaryString>(&[1, 0], ReadErrorKind::Invalid("MD5 has 16 bytes"));
    check_error::<HashMap<i64, i64>>(&[2, 1, 1, 1, 2], ReadErrorKind::Duplicate);
    check_error::<HashSet<i64>>(&[2, 1, 1], ReadErrorKind::Duplicate);
    check_error::<PolySet<i64>>(&[2, 1, 1], ReadErrorKind::Duplicate);
}

#[test]
fn none_of_the_times_is_the_least_number() {
    let least = [0xfc, 0, 0, 0, 0, 0, 0, 0, 0xc0];
    assert_eq!(to_vec(&TimeNsOption(None)).unwrap(), least);
    assert_eq!(from_slice(&least), Ok(TimeNsOption(None)));
    let some = TimeNsOption(Some(TimeNs::from_nanos(5)));
    assert_eq!(from_slice(&to_vec(&some).unwrap()), Ok(some));
    assert_eq!(
        from_slice(&to_vec(&PercentOption(None)).unwrap()),
        Ok(PercentOption(None))
    );
}

/// One byte more or less than the value takes.
#[test]
fn blob_has_exactly_the_size_that_it_announces() {
    let blob = |size: u8, rest: &[u8]| [&[size, 0, 0, 0, 0, 0, 0, 0], rest].concat();
    assert_eq!(from_slice(&blob(1, &[5])), Ok(Blob(5_i64)));
    check_error::<Blob<i64>>(&blob(2, &[5, 6]), ReadErrorKind::TrailingBytes(1));
    let short = ReadErrorKind::BufferShort { needed: 1, left: 0 };
    check_error::<Blob<i64>>(&blob(0, &[5]), short);
    check_error::<Blob<i64>>(&blob(1, &[]), short);
    check_error::<OpaqueBlob>(&blob(1, &[]), short);
    check_error::<IgnoredBlob>(&blob(1, &[]), short);
    let negative = to_vec(&bin_prot::Int64Bit(-1)).unwrap();
    check_error::<OpaqueBlob>(&negative, ReadErrorKind::OutOfRange(-1));
    // What follows is read on from behind the blob.
    assert_eq!(
        from_slice(&[blob(1, &[5]), vec![7]].concat()),
        Ok((Blob(5_i64), 7_i64))
    );
}

/// The offset in an error is that in the whole input, also inside a blob.
#[test]
fn offsets_inside_blobs_count_from_the_start() {
    let error = from_slice::<(i64, Blob<bool>)>(&[9, 1, 0, 0, 0, 0, 0, 0, 0, 7]).unwrap_err();
    assert_eq!((error.kind, error.offset), (ReadErrorKind::BoolCode(7), 9));
}
