//! Values as JSON: what is read beside what is written, and what is refused. That it is the form of
//! the golden vectors, `rpc-conformance` shows with all of them.

use bin_prot::dynamic::Type;
use bin_prot::library::Date;
use bin_prot::shape::BinShape;
use bin_prot::{Array, BinProt, ByteString, Float32Vec, Mat, Sexp};
use serde_json::{Value as Json, json};

/// `json` is read as what is written as `written`.
#[track_caller]
fn check<T: BinShape>(json: &Json, written: &Json) {
    let ty = Type::new(&T::bin_shape()).unwrap();
    let value = ty.parse_json(json).unwrap();
    assert_eq!(value.to_json(), *written);
    assert_eq!(ty.parse_json(written).unwrap(), value);
}

#[track_caller]
fn check_error<T: BinShape>(json: &Json, message: &str) {
    let error = Type::new(&T::bin_shape()).unwrap().parse_json(json);
    assert_eq!(error.unwrap_err().to_string(), message);
}

#[test]
fn abbreviations_are_spelled_out() {
    let repeated = json!({"repeat": {"some": 1}, "count": 2});
    check::<Vec<Option<i64>>>(&repeated, &json!([{"some": 1}, {"some": 1}]));
    check::<ByteString>(&json!({"repeat_hex": "6162", "count": 2}), &json!("abab"));
    check::<ByteString>(&json!({"hex": "00Ff"}), &json!({"hex": "00ff"}));
}

/// Whether many or large things are repeated, and in however many steps.
#[test]
fn abbreviations_stand_for_no_more_than_fits() {
    #[track_caller]
    fn check<T: BinShape>(json: &Json) {
        let error = Type::new(&T::bin_shape()).unwrap().parse_json(json);
        let message = error.unwrap_err().to_string();
        let expected = "expected a count that makes at most 67108864 bytes, found ";
        assert!(message.contains(expected), "{message}");
    }

    let repeat = |json: &Json, count: u64| json!({"repeat": json, "count": count});
    check::<Vec<()>>(&repeat(&json!(null), 1 << 30));
    check::<Vec<Vec<Vec<()>>>>(&repeat(&repeat(&repeat(&json!(null), 1_000), 1_000), 1_000));
    check::<Vec<ByteString>>(&repeat(
        &json!({"repeat_hex": "61", "count": 50_000_000}),
        2,
    ));
    check::<ByteString>(&json!({"repeat_hex": "6162", "count": 1 << 26}));
    check::<ByteString>(&json!({"repeat_hex": "", "count": u64::MAX}));
}

/// Its own parser stops at 128 levels, but can be told not to.
#[test]
fn depth_of_sexps_is_bounded() {
    let nested = |levels: usize| {
        // Without `json!`, which goes through all of what it is given.
        let list = |items| {
            let args = Json::Array(vec![Json::Array(items)]);
            Json::from_iter([("tag".to_owned(), "List".into()), ("args".to_owned(), args)])
        };
        (0..levels).fold(list(vec![]), |inner, _| list(vec![inner]))
    };
    let ty = Type::new(&Sexp::bin_shape()).unwrap();
    assert!(ty.parse_json(&nested(1_023)).is_ok());
    let error = ty.parse_json(&nested(1_024)).unwrap_err();
    assert_eq!(error.to_string(), "nested deeper than 1024 levels");
}

#[test]
fn floats_may_be_numbers() {
    check::<f64>(&json!(1.5), &json!({"f64": "3ff8000000000000"}));
    check::<Float32Vec>(&json!([1]), &json!([{"f32": "3f800000"}]));
    check_error::<f64>(&json!({"f64": "x"}), r#"expected float, found {"f64":"x"}"#);
}

#[test]
fn months_have_names_or_numbers() {
    let date = json!({"year": 1955, "month": "Nov", "day": 5});
    check::<Date>(&json!({"year": 1955, "month": 11, "day": 5}), &date);
    for month in [json!(0), json!(13), json!("nov"), json!(null)] {
        let date = json!({"year": 1955, "month": month, "day": 5});
        check_error::<Date>(&date, &format!("expected date, found {date}"));
    }
    let no_day = json!({"year": 1955, "month": 2, "day": 29});
    check_error::<Date>(&no_day, &format!("expected date, found {no_day}"));
}

#[derive(BinProt)]
struct Order {
    side: Side,
    legs: Array<(ByteString, i64)>,
}

#[derive(BinProt)]
enum Side {
    Buy,
    Sell { short: bool },
}

#[test]
fn errors_say_where_and_what() {
    let order = |side: Json, legs: Json| json!({"side": side, "legs": legs});
    let buy = json!({"tag": "Buy", "args": []});
    check_error::<Order>(
        &order(buy.clone(), json!([["a", 1], ["b", "x"]])),
        r#"at .legs[1][1]: expected int, found "x""#,
    );
    check_error::<Order>(
        &order(json!({"tag": "Sell", "args": [{"short": 1}]}), json!([])),
        "at .side.Sell[0].short: expected bool, found 1",
    );
    check_error::<Order>(
        &order(json!({"tag": "Hold", "args": []}), json!([])),
        "at .side: expected a constructor of the type, found Hold",
    );
    check_error::<Order>(
        &json!({"side": buy}),
        "at .legs: expected the field, found none",
    );
    check_error::<Order>(
        &json!({"side": buy, "legs": [], "size": 3}),
        "expected a field of the type, found size",
    );
    check_error::<Mat>(
        &json!({"rows": [[1], [1, 2]]}),
        r#"expected rows of one length, found {"rows":[[1],[1,2]]}"#,
    );
    check_error::<Sexp>(
        &json!({"tag": "Atom", "args": []}),
        r#"expected Atom or List, found {"args":[],"tag":"Atom"}"#,
    );
}
