//! Payloads as bytes, for queries that are no values of their RPC's type.

use bin_prot::WriteError;
use bin_prot::shape::Digest;
use rpc_core::payload::{Codec, Undecodable};

/// Sends bytes as they are, and takes whatever comes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verbatim {}

impl Codec<Vec<u8>> for Verbatim {
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
