//! Bytes that were made to hurt: they must be refused before they cost memory or stack.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use bin_prot::{
    Array, BinRead, BinReadOwned, DEFAULT_DEPTH, Info, ReadErrorKind, Reader, Sexp, UnitV2,
    from_slice, to_vec,
};

/// What a thread of the standard library gets, and what tests run in.
const STACK: usize = 2 * 1024 * 1024;

fn on_small_stack(test: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK);
        thread.spawn_scoped(scope, test).unwrap().join().unwrap();
    });
}

#[track_caller]
fn check_error<T: BinReadOwned>(bytes: &[u8], expected: ReadErrorKind) {
    match from_slice::<T>(bytes) {
        Ok(_) => panic!("was read"),
        Err(error) => assert_eq!(error.kind, expected),
    }
}

/// `levels` lists, each the only element of the one around it.
fn nested_sexp(levels: usize) -> Vec<u8> {
    let mut bytes = [1, 1].repeat(levels - 1);
    bytes.extend([1, 0]);
    bytes
}

/// `levels` messages, each tagged by the one around it.
fn nested_info(levels: usize) -> Vec<u8> {
    let mut bytes = [5, 0].repeat(levels);
    bytes.extend([1, 0]);
    bytes
}

#[test]
fn values_are_read_up_to_the_bound_on_depth() {
    let levels = DEFAULT_DEPTH as usize;
    on_small_stack(|| {
        let sexp: Sexp = from_slice(&nested_sexp(levels)).unwrap();
        assert_eq!(to_vec(&sexp).unwrap(), nested_sexp(levels));
        assert_eq!(sexp.to_string().len(), 2 * levels);
        check_error::<Sexp>(
            &nested_sexp(levels + 1),
            ReadErrorKind::TooDeep(DEFAULT_DEPTH),
        );

        let info: Info = from_slice(&nested_info(levels)).unwrap();
        assert_eq!(to_vec(&info).unwrap(), nested_info(levels));
        assert!(info.to_string().len() > levels);
        check_error::<Info>(
            &nested_info(levels + 1),
            ReadErrorKind::TooDeep(DEFAULT_DEPTH),
        );
    });
}

#[test]
fn depth_beyond_any_stack_is_refused() {
    on_small_stack(|| {
        check_error::<Sexp>(&nested_sexp(100_000), ReadErrorKind::TooDeep(DEFAULT_DEPTH));
        check_error::<Info>(&nested_info(100_000), ReadErrorKind::TooDeep(DEFAULT_DEPTH));
    });
}

#[test]
fn depth_is_per_branch_and_can_be_chosen() {
    let siblings = to_vec(&vec![vec![0_i64]; 5_000]).unwrap();
    assert_eq!(from_slice::<Vec<Vec<i64>>>(&siblings).unwrap().len(), 5_000);

    let mut reader = Reader::new(&siblings).with_depth(1);
    let error = Vec::<Vec<i64>>::bin_read(&mut reader).unwrap_err();
    assert_eq!(error.kind, ReadErrorKind::TooDeep(1));
}

/// Ten million elements announced in nine bytes.
const BOMB: [u8; 9] = [0xfc, 0x80, 0x96, 0x98, 0, 0, 0, 0, 0];

#[track_caller]
fn check_bomb<T: BinReadOwned>(least_element: u64) {
    check_error::<T>(
        &BOMB,
        ReadErrorKind::BufferShort {
            needed: 10_000_000 * least_element,
            left: 0,
        },
    );
}

#[test]
fn counts_that_cannot_fit_are_refused_before_anything_is_reserved() {
    check_bomb::<String>(1);
    check_bomb::<Vec<u8>>(1);
    check_bomb::<Vec<()>>(1);
    check_bomb::<Vec<f64>>(8);
    check_bomb::<Array<(i64, f64)>>(9);
    check_bomb::<Vec<Sexp>>(1);
    check_bomb::<BTreeSet<i64>>(1);
    check_bomb::<BTreeMap<i64, String>>(2);
}

#[test]
fn greatest_count_does_not_overflow() {
    let greatest = [0xfc, 255, 255, 255, 255, 255, 255, 255, 0x3f];
    check_error::<Vec<f64>>(
        &greatest,
        ReadErrorKind::BufferShort {
            needed: u64::MAX,
            left: 0,
        },
    );
    check_error::<Vec<u8>>(
        &greatest,
        ReadErrorKind::BufferShort {
            needed: (1 << 62) - 1,
            left: 0,
        },
    );
}

/// Many lists of nothing: each may announce as many elements as the input has bytes, but for its
/// own few, and each of these is a pointer in memory.
#[test]
fn elements_without_bytes_are_bounded_for_all_lists_together() {
    type Lists = Vec<Vec<Box<UnitV2>>>;
    let lists = |count: usize, elements: u16| {
        let [low, high] = elements.to_le_bytes();
        let mut bytes = vec![0xfd];
        bytes.extend((count as u32).to_le_bytes());
        bytes.extend([0xfe, low, high].repeat(count));
        bytes
    };
    assert_eq!(from_slice::<Lists>(&lists(4, 256)).unwrap().len(), 4);
    let too_long = |count, limit| ReadErrorKind::ListTooLong { count, limit };
    check_error::<Lists>(&lists(4, 257), too_long(257, 1024 - 3 * 257));
    check_error::<Lists>(&lists(20_000, 60_000), too_long(60_000, 5));
}

#[test]
fn duplicates_are_refused() {
    check_error::<BTreeSet<i64>>(&[2, 1, 1], ReadErrorKind::Duplicate);
    check_error::<BTreeMap<i64, i64>>(&[2, 1, 1, 1, 2], ReadErrorKind::Duplicate);
    assert_eq!(
        from_slice::<BTreeSet<i64>>(&[2, 2, 1]),
        Ok(BTreeSet::from([1, 2]))
    );
}

#[test]
fn bytes_after_the_value_are_an_error() {
    check_error::<i64>(&[1, 2], ReadErrorKind::TrailingBytes(1));
}
