//! Responses, in their two forms.
//!
//! ```text
//! 02  Response_v1  id ‖ result
//! 08  Response_v2  id ‖ menu index: nat0 option ‖ result
//!
//! result  00 ‖ data, or 01 ‖ Rpc_error
//! ```
//!
//! Version 7 and up, id 1, menu index 0, the text `hello`:
//!
//! ```
//! use rpc_wire::Message;
//!
//! let body = [0x08, 0x01, 0x01, 0x00, 0x00, 0x06, 0x05, b'h', b'e', b'l', b'l', b'o'];
//! let Message::Response(response) = Message::decode(&body)? else { unreachable!() };
//! assert_eq!(response.header.id.get(), 1);
//! assert_eq!(response.result.expect("an answer").bytes()?, b"\x05hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use bin_prot::write_nat0;
use bin_prot::{BinRead, BinWrite, Nat0, ReadError, Reader, WriteError, nat0_size, variant};

use crate::{Data, ProtocolVersion, QueryId, RpcError};

pub(super) const V1: u8 = 0x02;
pub(super) const V2: u8 = 0x08;

const OK: u8 = 0;
const ERROR: u8 = 1;

/// A response message: an answer, or one item of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// Everything before the result.
    pub header: ResponseHeader,
    /// The payload, or why there is none.
    pub result: Result<Data<'a>, RpcError>,
}

/// To which query a response belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHeader {
    /// What differs between the two forms.
    pub form: ResponseForm,
    /// The query's id.
    pub id: QueryId,
}

/// What differs between the two forms of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseForm {
    /// Sent at versions 1 to 6.
    V1,
    /// Sent from version 7.
    V2 {
        /// The implementation's index in the responder's own menu. Serves observers of the
        /// traffic; the receiver ignores it.
        menu_index: Option<Nat0>,
    },
}

impl ResponseHeader {
    /// The header that a peer at `version` understands.
    #[inline]
    pub fn new(version: ProtocolVersion, id: QueryId, menu_index: Option<usize>) -> Self {
        let form = if version.has_menu_index() {
            ResponseForm::V2 {
                menu_index: menu_index.map(|index| Nat0(index as u64)),
            }
        } else {
            ResponseForm::V1
        };
        Self { form, id }
    }

    #[inline]
    fn size(&self) -> usize {
        let form = match self.form {
            ResponseForm::V1 => 0,
            ResponseForm::V2 { menu_index } => menu_index.bin_size(),
        };
        1 + self.id.bin_size() + form
    }

    #[inline]
    fn write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        match self.form {
            ResponseForm::V1 => {
                buffer.push(V1);
                self.id.bin_write(buffer)
            }
            ResponseForm::V2 { menu_index } => {
                buffer.push(V2);
                self.id.bin_write(buffer)?;
                menu_index.bin_write(buffer)
            }
        }
    }

    /// Size of the message with a payload of `payload` bytes.
    #[inline]
    pub fn message_size(&self, payload: usize) -> usize {
        self.size() + 1 + nat0_size(payload) + payload
    }

    /// Appends the message up to its payload of `payload` bytes, which the caller appends next.
    ///
    /// # Errors
    /// The id or the index is outside its range.
    #[inline]
    pub fn write_before(&self, payload: usize, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.write(buffer)?;
        buffer.push(OK);
        write_nat0(buffer, payload);
        Ok(())
    }
}

/// Not inlined into the reading of answers, of which it would be the largest part.
#[cold]
fn read_error(reader: &mut Reader<'_>) -> Result<RpcError, ReadError> {
    RpcError::bin_read(reader)
}

impl<'a> Response<'a> {
    #[inline]
    pub(super) fn read_after_tag(tag: u8, reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        let id = QueryId::bin_read(reader)?;
        let form = match tag {
            V1 => ResponseForm::V1,
            _ => ResponseForm::V2 {
                menu_index: Option::bin_read(reader)?,
            },
        };
        let result = match variant::read_tag(reader, 2)? {
            OK => Ok(Data::bin_read(reader)?),
            _ => Err(read_error(reader)?),
        };
        Ok(Self {
            header: ResponseHeader { form, id },
            result,
        })
    }
}

impl BinWrite for Response<'_> {
    fn bin_size(&self) -> usize {
        let result = match &self.result {
            Ok(data) => data.bin_size(),
            Err(error) => error.bin_size(),
        };
        self.header.size() + 1 + result
    }

    fn bin_write(&self, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        self.header.write(buffer)?;
        match &self.result {
            Ok(data) => {
                buffer.push(OK);
                data.bin_write(buffer)
            }
            Err(error) => {
                buffer.push(ERROR);
                error.bin_write(buffer)
            }
        }
    }
}
