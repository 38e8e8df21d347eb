//! Payloads in Protocol Buffers, through `prost`. Behind the feature `prost`.

use ::prost::Message;
use bin_prot::WriteError;
use bin_prot::shape::Digest;

use super::{Codec, Undecodable};

/// The Protocol Buffers codec, for every type that is a [`prost::Message`](::prost::Message).
///
/// `prost` has the well-known wrappers as plain types, so that a `String` or a `bool` can be a
/// payload too, and `()` is the empty message. There is no shape, so the menu has no digests of
/// such an RPC; that both ends mean the same message is up to its definition and the RPC's
/// version.
///
/// ```
/// use rpc_core::payload::Protobuf;
/// use rpc_core::{PipeRpc, Rpc};
///
/// #[derive(Clone, PartialEq, prost::Message)]
/// struct Quote {
///     #[prost(string, tag = "1")]
///     symbol: String,
///     #[prost(sint64, tag = "2")]
///     cents: i64,
/// }
///
/// static QUOTE: Rpc<String, Quote, Protobuf> = Rpc::new("quote", 1);
/// static QUOTES: PipeRpc<String, Quote, String, Protobuf> = PipeRpc::new("quotes", 1);
/// # let _ = (&QUOTE, &QUOTES);
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Protobuf {}

impl<T: Message + Default> Codec<T> for Protobuf {
    fn size(value: &T) -> usize {
        value.encoded_len()
    }

    fn write(value: &T, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        value.encode_raw(buffer);
        Ok(())
    }

    fn read(bytes: &[u8]) -> Result<T, Undecodable> {
        T::decode(bytes).map_err(Undecodable::new)
    }

    fn digest() -> Option<Digest> {
        None
    }
}
