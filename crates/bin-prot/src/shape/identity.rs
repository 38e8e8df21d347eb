//! The identities of library types that are no readable names (*shapes* §10).

/// Core's `Set` of a comparable element, around [`SEQUENCE_0`].
pub(crate) const SET: &str = "8989278e-4992-11e6-8f4a-6b89776b1e53";
/// Core's `Set.Poly`, around [`SEQUENCE_1`].
pub(crate) const POLY_SET: &str = "88bcc478-4992-11e6-a95d-ff4831acf410";
/// Core's `Map` from a comparable key, around [`SEQUENCE_1`].
pub(crate) const MAP: &str = "dfb300f8-4992-11e6-9c15-73a2ac6b815c";
/// Core's `Map.Poly`, around [`SEQUENCE_2`].
pub(crate) const POLY_MAP: &str = "b7d7b1a0-4992-11e6-8a32-bbb221fa025c";
/// Core's `Hashtbl` of a hashable key, around [`SEQUENCE_1`].
pub(crate) const HASHTBL: &str = "8fabab0a-4992-11e6-8cca-9ba2c4686d9e";
/// Core's `Hashtbl.Poly`, around [`SEQUENCE_2`].
pub(crate) const POLY_HASHTBL: &str = "8f3e445c-4992-11e6-a279-3703be311e7b";
/// Core's `Hash_set`, around [`SEQUENCE_0`].
pub(crate) const HASH_SET: &str = "ad381672-4992-11e6-9e36-b76dc8cd466f";
/// Core's `Queue`, around [`SEQUENCE_1`].
pub(crate) const QUEUE: &str = "b4c84254-4992-11e6-9ba7-734e154027bd";
/// Core's `Deque`, around [`SEQUENCE_1`].
pub(crate) const DEQUE: &str = "34c1e9ca-4992-11e6-a686-8b4bd4f87796";
/// Core's `Fdeque`, around [`SEQUENCE_1`].
pub(crate) const FDEQUE: &str = "83f96982-4992-11e6-919d-fbddcfdca576";
/// Core's `Linked_queue`, around [`SEQUENCE_1`].
pub(crate) const LINKED_QUEUE: &str = "800df9a0-4992-11e6-881d-ffe1a5c8aced";

/// Elements one after the other, of a container whose functor fixed its element's functions.
pub(crate) const SEQUENCE_0: &str = "6592371a-4994-11e6-923a-7748e4182764";
/// Elements one after the other, of a container with one type parameter.
pub(crate) const SEQUENCE_1: &str = "ac8a9ff4-4994-11e6-9a1b-9fb4e933bd9d";
/// Elements one after the other, of a container with two type parameters.
pub(crate) const SEQUENCE_2: &str = "b4e54ad2-4994-11e6-b8df-87c2997f9f52";

/// Core's `Md5`.
pub(crate) const MD5: &str = "f6bdcdd0-9f75-11e6-9a7e-d3020428efed";
/// A value with its size before it.
pub(crate) const BLOB: &str = "85a2557e-490a-11e6-98ac-4b8953d525fe";
/// A blob of which the type is not known.
pub(crate) const OPAQUE_BLOB: &str = "85a1f76e-490a-11e6-86a9-5bef585f2602";
/// Core's `Date`.
pub(crate) const DATE: &str = "899ee3e0-490a-11e6-a10a-a3734f733566";
/// Core's `Percent`, version 3, of a float.
pub(crate) const PERCENT: &str = "b32f2a1e-6b43-11ed-b33b-aac2a563f10a";
/// Core's `Percent`, version 2, of a float.
pub(crate) const PERCENT_V2: &str = "1d1e76bc-ea4b-11eb-a16a-aa5b28d1f4d7";
/// Core's `Percent.Option`, version 3, of the percent.
pub(crate) const PERCENT_OPTION: &str = "e9b52028-6b45-11ed-a6b6-aac2a563f10a";
/// Core's `Percent.Option`, version 2, of the percent.
pub(crate) const PERCENT_OPTION_V2: &str = "f7aa04e8-da3e-11ec-b546-aa7328433b70";
/// Core's `Date.Option`.
pub(crate) const DATE_OPTION: &str = "826a3e79-3321-451a-9707-ed6c03b84e2f";
/// The menu index of a response, encoded as a nat0.
pub(crate) const RPC_NAT0: &str = "899e2f4a-490a-11e6-b68f-bbd62472516c";
