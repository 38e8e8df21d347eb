//! The types that every shapes file knows: those of the language, of bin_prot and of Core.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use bin_prot::library::{
    ByteUnits, ByteUnitsV1, Date, DateOption, DayOfWeek, Deque, Either, Fdeque, HostAndPort,
    LinkedQueue, Month, NonemptyList, NonemptyListV1, NonemptyListV2, Nothing, OrError, OrErrorV1,
    Percent, PercentOption, PercentOptionV2, PercentV1, PercentV2, PolyHashtbl, PolyMap, PolySet,
    SetOnce, StdlibDigest, TimeFloat, TimeFloatOfday, TimeFloatOfdayZoned, TimeFloatSpan, TimeNs,
    TimeNsOfday, TimeNsOfdayOption, TimeNsOfdayZoned, TimeNsOption, TimeNsSpan, TimeNsSpanOption,
    Utf8, Uuid, Zone,
};
use bin_prot::shape::{BinShape, Definition, Digest, Group, Shape};
use bin_prot::{
    Array, Blob, Char, Float32Mat, Float32Vec, Float64Mat, Float64Vec, FloatArray, FloatVec,
    Hashtbl, Info, InfoV1, Int8Bit, Int16Bit, Int32Bit, Int32Bits, Int63, Int64, Int64Bit,
    Int64Bits, Mat, Nat0, Nativeint, Network16Int, Network32Int, Network32Int32, Network64Int,
    Network64Int64, OpaqueBlob, OrNull, Ref, Sexp, UnitV2, VariantInt,
};
use bytes::Bytes;

/// A type that needs no definition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// Its parameters.
    pub(super) parameters: usize,
    /// Its shape; [`A`] and [`B`] stand for the parameters.
    body: fn() -> Shape,
}

impl Known {
    /// The type applied to as many arguments as it has parameters.
    pub(super) fn apply(self, arguments: Vec<Shape>) -> Shape {
        let body = (self.body)();
        if arguments.is_empty() {
            return body;
        }
        let parameters = [A::NAME, B::NAME].into_iter().take(self.parameters);
        let group = Group::new([Definition::new("t", parameters, body)]);
        group.apply("t", arguments)
    }
}

/// The first parameter.
struct A;

/// The second parameter.
struct B;

impl A {
    const NAME: &str = "a";
}

impl B {
    const NAME: &str = "b";
}

impl BinShape for A {
    fn bin_shape() -> Shape {
        Shape::parameter(Self::NAME)
    }
}

impl BinShape for B {
    fn bin_shape() -> Shape {
        Shape::parameter(Self::NAME)
    }
}

macro_rules! known {
    ($parameters:expr; $($($name:literal)|+ => $type:ty,)*) => {
        |name: &str| {
            let body = match name {
                $($($name)|+ => <$type as BinShape>::bin_shape,)*
                _ => return None,
            };
            Some(Known { parameters: $parameters, body })
        }
    };
}

/// The type of this name. `Core.` and `.Stable` may stand in it and mean nothing; `.V1` and its like
/// are part of it.
pub(super) fn find(name: &str) -> Option<Known> {
    let name = name.strip_prefix("Core.").unwrap_or(name);
    let name = name.replace(".Stable.", ".");
    let simple = known! { 0;
        "unit" | "Unit.t" | "Unit.V1.t" => (),
        "bool" | "Bool.t" | "Bool.V1.t" => bool,
        "char" | "Char.t" | "Char.V1.t" => Char,
        "int" | "Int.t" | "Int.V1.t" => i64,
        "int32" | "Int32.t" | "Int32.V1.t" => i32,
        "int64" | "Int64.t" | "Int64.V1.t" => Int64,
        "nativeint" | "Nativeint.t" | "Nativeint.V1.t" => Nativeint,
        "int63" | "Int63.t" | "Int63.V1.t" => Int63,
        "nat0" | "Nat0.t" => Nat0,
        "float" | "Float.t" | "Float.V1.t" => f64,
        "string" | "String.t" | "String.V1.t" => String,
        "bytes" | "Bytes.t" | "Bytes.V1.t" => [u8],
        "bigstring" | "Bigstring.t" | "Bigstring.V1.t" => Bytes,
        "unit_v2" => UnitV2,
        "digest" => StdlibDigest,
        "int_8bit" => Int8Bit,
        "int_16bit" => Int16Bit,
        "int_32bit" => Int32Bit,
        "int_64bit" => Int64Bit,
        "int32_bits" => Int32Bits,
        "int64_bits" => Int64Bits,
        "network16_int" => Network16Int,
        "network32_int" => Network32Int,
        "network32_int32" => Network32Int32,
        "network64_int" => Network64Int,
        "network64_int64" => Network64Int64,
        "variant_int" => VariantInt,
        "floatarray" => FloatArray,
        "vec" => FloatVec,
        "float64_vec" => Float64Vec,
        "float32_vec" => Float32Vec,
        "mat" => Mat,
        "float64_mat" => Float64Mat,
        "float32_mat" => Float32Mat,
        "Sexp.t" | "Sexp.V1.t" => Sexp,
        "Info.t" | "Error.t" | "Info.V2.t" | "Error.V2.t" => Info,
        "Info.V1.t" | "Error.V1.t" => InfoV1,
        "Md5.t" | "Md5.V1.t" => Digest,
        "Blob.Opaque.t" => OpaqueBlob,
        "Date.t" | "Date.V1.t" => Date,
        "Date.Option.t" | "Date.Option.V1.t" => DateOption,
        "Month.t" | "Month.V1.t" => Month,
        "Day_of_week.t" | "Day_of_week.V1.t" => DayOfWeek,
        "Time_ns.t" | "Time_ns.V1.t" => TimeNs,
        "Time_ns.Option.t" | "Time_ns.Option.V1.t" => TimeNsOption,
        "Time_ns.Span.t" | "Time_ns.Span.V1.t" | "Time_ns.Span.V2.t" => TimeNsSpan,
        "Time_ns.Span.Option.t" | "Time_ns.Span.Option.V1.t" | "Time_ns.Span.Option.V2.t" =>
            TimeNsSpanOption,
        "Time_ns.Ofday.t" | "Time_ns.Ofday.V1.t" => TimeNsOfday,
        "Time_ns.Ofday.Option.t" | "Time_ns.Ofday.Option.V1.t" => TimeNsOfdayOption,
        "Time_ns.Ofday.Zoned.t" | "Time_ns.Ofday.Zoned.V1.t" => TimeNsOfdayZoned,
        "Time_float.t" | "Time_float.V1.t" | "Time.t" | "Time.V1.t" => TimeFloat,
        "Time_float.Span.t" | "Time_float.Span.V1.t" | "Time_float.Span.V2.t"
            | "Time_float.Span.V3.t" | "Time.Span.t" => TimeFloatSpan,
        "Time_float.Ofday.t" | "Time_float.Ofday.V1.t" | "Time.Ofday.t" => TimeFloatOfday,
        "Time_float.Ofday.Zoned.t" | "Time_float.Ofday.Zoned.V1.t" | "Time.Ofday.Zoned.t" =>
            TimeFloatOfdayZoned,
        "Timezone.t" | "Timezone.V1.t" | "Time.Zone.t" => Zone,
        "Percent.t" | "Percent.V3.t" => Percent,
        "Percent.V2.t" => PercentV2,
        "Percent.V1.t" => PercentV1,
        "Percent.Option.t" | "Percent.Option.V3.t" => PercentOption,
        "Percent.Option.V2.t" => PercentOptionV2,
        "Byte_units.t" | "Byte_units.V2.t" => ByteUnits,
        "Byte_units.V1.t" => ByteUnitsV1,
        "Uchar.t" | "Uchar.V1.t" => char,
        "String.Utf8.t" | "Utf8.t" => Utf8,
        "Uuid.t" | "Uuid.V1.t" => Uuid,
        "Host_and_port.t" | "Host_and_port.V1.t" => HostAndPort,
        "Nothing.t" | "Nothing.V1.t" => Nothing,
    };
    let of_one = known! { 1;
        "option" | "Option.t" | "Option.V1.t" => Option<A>,
        "or_null" | "Or_null.t" => OrNull<A>,
        "list" | "List.t" | "List.V1.t" => Vec<A>,
        "array" | "Array.t" | "Array.V1.t" | "iarray" | "Iarray.t" => Array<A>,
        "ref" | "Ref.t" => Ref<A>,
        "lazy_t" | "Lazy.t" | "Lazy.V1.t" => A,
        "Or_error.t" | "Or_error.V2.t" => OrError<A>,
        "Or_error.V1.t" => OrErrorV1<A>,
        "Set_once.t" | "Set_once.V1.t" => SetOnce<A>,
        "Nonempty_list.t" | "Nonempty_list.V3.t" => NonemptyList<A>,
        "Nonempty_list.V2.t" => NonemptyListV2<A>,
        "Nonempty_list.V1.t" => NonemptyListV1<A>,
        "Set.t" => BTreeSet<A>,
        "Set.Poly.t" => PolySet<A>,
        "Hash_set.t" => HashSet<A>,
        "Queue.t" | "Queue.V1.t" => VecDeque<A>,
        "Deque.t" | "Deque.V1.t" => Deque<A>,
        "Fdeque.t" | "Fdeque.V1.t" => Fdeque<A>,
        "Linked_queue.t" | "Linked_queue.V1.t" => LinkedQueue<A>,
        "Blob.t" => Blob<A>,
    };
    let of_two = known! { 2;
        "result" | "Result.t" | "Result.V1.t" => Result<A, B>,
        "Either.t" | "Either.V1.t" => Either<A, B>,
        "Map.t" => BTreeMap<A, B>,
        "Map.Poly.t" => PolyMap<A, B>,
        "Hashtbl.t" => HashMap<A, B>,
        "Hashtbl.Poly.t" => PolyHashtbl<A, B>,
        "hashtbl" => Hashtbl<A, B>,
    };
    simple(&name)
        .or_else(|| of_one(&name))
        .or_else(|| of_two(&name))
}

/// Containers that OCaml names after their keys, such as `String.Map.t`: what follows the key's
/// module, and the type that it is applied to.
pub(super) const KEYED: [(&str, &str); 4] = [
    (".Map.t", "Map.t"),
    (".Set.t", "Set.t"),
    (".Table.t", "Hashtbl.t"),
    (".Hash_set.t", "Hash_set.t"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T: BinShape>(name: &str, arguments: Vec<Shape>) {
        let known = find(name).unwrap();
        assert_eq!(known.parameters, arguments.len());
        let found = known.apply(arguments).digest();
        assert_eq!(found, T::bin_shape().digest());
    }

    #[test]
    fn types_have_the_shapes_of_the_library() {
        let (int, text) = (i64::bin_shape, String::bin_shape);
        check::<i64>("int", vec![]);
        check::<Date>("Core.Date.Stable.V1.t", vec![]);
        check::<Vec<i64>>("list", vec![int()]);
        check::<i64>("Lazy.t", vec![int()]);
        check::<OrError<String>>("Or_error.t", vec![text()]);
        check::<BTreeMap<String, i64>>("Map.t", vec![text(), int()]);
        check::<Result<String, i64>>("result", vec![text(), int()]);
        assert!(find("Map.V1.t").is_none());
    }
}
