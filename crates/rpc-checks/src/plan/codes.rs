//! The bytes of the notation, and what they stand for.

/// Basic types without arguments.
pub(super) const BASES: &[&str] = &[
    "unit",
    "bool",
    "char",
    "float",
    "int",
    "int32",
    "int64",
    "nativeint",
    "int63",
    "nat0",
    "string",
    "bytes",
    "bigstring",
    "unit_v2",
    "int_8bit",
    "int_16bit",
    "int_32bit",
    "int_64bit",
    "int32_bits",
    "int64_bits",
    "network16_int",
    "network32_int",
    "network32_int32",
    "network64_int",
    "network64_int64",
    "variant_int",
    "floatarray",
    "vec",
    "float64_vec",
    "float32_vec",
    "mat",
    "float64_mat",
    "float32_mat",
    "digest",
    // Md5, an opaque blob, Date, Date.Option, and the index in a menu.
    "f6bdcdd0-9f75-11e6-9a7e-d3020428efed",
    "85a1f76e-490a-11e6-86a9-5bef585f2602",
    "899ee3e0-490a-11e6-a10a-a3734f733566",
    "826a3e79-3321-451a-9707-ed6c03b84e2f",
    "899e2f4a-490a-11e6-b68f-bbd62472516c",
    "no such type",
];

/// Basic types of one argument.
pub(super) const OF_ONE: &[&str] = &[
    "option",
    "or_null",
    "list",
    "array",
    "ref",
    // Blob.
    "85a2557e-490a-11e6-98ac-4b8953d525fe",
    // Set, Set.Poly, Map, Map.Poly, Hashtbl, Hashtbl.Poly, Hash_set.
    "8989278e-4992-11e6-8f4a-6b89776b1e53",
    "88bcc478-4992-11e6-a95d-ff4831acf410",
    "dfb300f8-4992-11e6-9c15-73a2ac6b815c",
    "b7d7b1a0-4992-11e6-8a32-bbb221fa025c",
    "8fabab0a-4992-11e6-8cca-9ba2c4686d9e",
    "8f3e445c-4992-11e6-a279-3703be311e7b",
    "ad381672-4992-11e6-9e36-b76dc8cd466f",
    // Queue, Deque, Fdeque, Linked_queue.
    "b4c84254-4992-11e6-9ba7-734e154027bd",
    "34c1e9ca-4992-11e6-a686-8b4bd4f87796",
    "83f96982-4992-11e6-919d-fbddcfdca576",
    "800df9a0-4992-11e6-881d-ffe1a5c8aced",
    // The sequences of their elements.
    "6592371a-4994-11e6-923a-7748e4182764",
    "ac8a9ff4-4994-11e6-9a1b-9fb4e933bd9d",
    "b4e54ad2-4994-11e6-b8df-87c2997f9f52",
    // Percent and Percent.Option, versions 3 and 2.
    "b32f2a1e-6b43-11ed-b33b-aac2a563f10a",
    "e9b52028-6b45-11ed-a6b6-aac2a563f10a",
    "1d1e76bc-ea4b-11eb-a16a-aa5b28d1f4d7",
    "f7aa04e8-da3e-11ec-b546-aa7328433b70",
];

pub(super) const BASE: u8 = 0;
pub(super) const OF_ONE_BASE: u8 = 1;
pub(super) const TUPLE: u8 = 2;
pub(super) const RECORD: u8 = 3;
pub(super) const VARIANT: u8 = 4;
pub(super) const POLYMORPHIC: u8 = 5;
pub(super) const ANNOTATE: u8 = 6;
pub(super) const PARAMETER: u8 = 7;
pub(super) const RECURSIVE_USE: u8 = 8;
pub(super) const USE: u8 = 9;
pub(super) const HASHTBL: u8 = 10;
pub(super) const UNBOXED_TUPLE: u8 = 11;
pub(super) const USE_AGAIN: u8 = 12;
pub(super) const WIDE: u8 = 13;
pub(super) const KINDS: u8 = 14;

/// How many parts of each sort an expression may have.
pub(super) const PARTS: u8 = 32;
pub(super) const NAME_LENGTH: u8 = 40;
pub(super) const MEMBERS: u8 = 4;
pub(super) const ARGUMENTS: u8 = 4;

pub(super) const NO_ARGUMENT: u8 = 0;
pub(super) const ARGUMENT: u8 = 1;
pub(super) const INHERIT: u8 = 2;
