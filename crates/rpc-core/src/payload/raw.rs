//! Payloads that are bytes already.

use bin_prot::WriteError;
use bin_prot::shape::Digest;
use bytes::Bytes;

use super::{Codec, Undecodable};

/// The bytes as they are, without a length before them: for values that something else encodes.
///
/// Any bytes are a value. There is no shape, so the menu has no digests of such an RPC.
///
/// ```
/// use bytes::Bytes;
/// use rpc_core::Rpc;
/// use rpc_core::payload::Raw;
///
/// static THUMBNAIL: Rpc<Bytes, Bytes, Raw> = Rpc::new("thumbnail", 1);
/// # let _ = &THUMBNAIL;
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Raw {}

impl Codec<Bytes> for Raw {
    fn size(value: &Bytes) -> usize {
        value.len()
    }

    fn write(value: &Bytes, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        buffer.extend_from_slice(value);
        Ok(())
    }

    fn read(bytes: &[u8]) -> Result<Bytes, Undecodable> {
        Ok(Bytes::copy_from_slice(bytes))
    }

    fn digest() -> Option<Digest> {
        None
    }
}

impl Codec<Vec<u8>> for Raw {
    fn size(value: &Vec<u8>) -> usize {
        value.len()
    }

    fn write(value: &Vec<u8>, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        buffer.extend_from_slice(value);
        Ok(())
    }

    fn read(bytes: &[u8]) -> Result<Vec<u8>, Undecodable> {
        Ok(bytes.to_vec())
    }

    fn digest() -> Option<Digest> {
        None
    }
}
