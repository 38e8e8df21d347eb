//! What the repository's vectors show beyond what they state: texts of values and shapes, and
//! which types can be read.

use bin_prot::shape::Shape;
use bin_prot::{from_slice, to_vec};
use rpc_testkit::golden::{Vector, of_kind, vectors};

use crate::shape;
use crate::types::Types;

fn shape_of(vector: &Vector) -> Shape {
    shape::parse(vector.field("shape").unwrap(), vector.fields.get("groups")).unwrap()
}

/// *Shapes* §12: as text, and as bytes, it is still the same shape.
#[test]
fn shapes_are_read_as_they_were_written() {
    for vector in of_kind("digest") {
        let name = &vector.name;
        let shape = shape_of(vector);
        let canonical = shape.canonical().unwrap();
        let text = shape.to_sexp().to_string_hum();
        let reread = Shape::from_sexp(&text.parse().unwrap()).unwrap();
        assert_eq!(reread.canonical().unwrap(), canonical, "{name}");
        let reread: Shape = from_slice(&to_vec(&shape).unwrap()).unwrap();
        assert_eq!(reread.canonical().unwrap(), canonical, "{name}");
    }
}

/// Values printed as S-expressions, and parsed again, have the same bytes.
#[test]
fn values_are_read_as_they_were_printed() {
    let types = Types::new([vectors().iter().collect()]);
    let mut ran = 0;
    for kind in ["bin_prot", "bin_prot_decode"] {
        for vector in of_kind(kind) {
            let name = &vector.name;
            let ty = types.get(0, &vector.type_name).unwrap();
            let value = ty.parse_json(vector.value().unwrap()).unwrap();
            let sexp = value.to_sexp();
            let reread = ty
                .parse_sexp(&sexp.to_string().parse().unwrap())
                .unwrap_or_else(|error| panic!("{name}: {sexp}: {error}"));
            // A NaN in text is any NaN.
            if !sexp.to_string().contains("nan") {
                let bytes = ty.to_vec(&value).unwrap();
                assert_eq!(ty.to_vec(&reread).unwrap(), bytes, "{name}: {sexp}");
            }
            ran += 1;
        }
    }
    assert_eq!(ran, 2_152);
}

/// The basic types that the vectors make up have no encoding; all others are understood.
#[test]
fn shapes_of_the_reference_are_those_of_types() {
    let types = Types::new([vectors().iter().collect()]);
    let refused: Vec<_> = of_kind("digest")
        .into_iter()
        .map(|vector| vector.type_name.as_str())
        .filter(|key| types.get(0, key).is_err())
        .collect();
    let made_up = [
        r#"basetype "my-base""#,
        r#"basetype "my-base-kind2" (int, string)"#,
    ];
    assert_eq!(refused, made_up);
}
