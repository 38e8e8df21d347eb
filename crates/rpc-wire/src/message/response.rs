//! Responses, in their two forms (*protocol* §5).

use bin_prot::write_nat0;
use bin_prot::{BinRead, BinWrite, Nat0, ReadError, Reader, WriteError, nat0_size, variant};

use super::head::Head;
use crate::{Data, ProtocolVersion, QueryId, RpcError};

pub(super) const V1: u8 = 0x02;
pub(super) const V2: u8 = 0x08;

const OK: u8 = 0;
const ERROR: u8 = 1;

/// A response message: an answer, or one item of a stream (*protocol* §5).
///
/// ```text
/// offset  width  meaning
///      0  1      the tag: 02 or 08 for the forms V1 and V2
///      1  1 to 9 the query's id, an int
///      …  …      V2: the menu index, a nat0 option
///      …  1      00: a payload follows; 01: an error follows
///      …  …      the payload, see Data; or the error, see RpcError
///
/// 02  01         00  06 05 68 65 6c 6c 6f    V1: id 1, "hello"
/// 08  01  01 00  00  06 05 68 65 6c 6c 6f    V2: the same, menu index 0
/// 02  01         01  01                      V1: id 1, Connection_closed
/// ```
///
/// ```
/// use rpc_wire::{Message, RpcError};
///
/// let Message::Response(answer) = Message::decode(b"\x08\x01\x01\x00\x00\x06\x05hello")? else {
///     unreachable!()
/// };
/// assert_eq!(answer.header.id.get(), 1);
/// assert_eq!(answer.result.expect("an answer").bytes()?, b"\x05hello");
///
/// let Message::Response(error) = Message::decode(&[0x02, 0x01, 0x01, 0x01])? else {
///     unreachable!()
/// };
/// assert_eq!(error.result, Err(RpcError::ConnectionClosed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// Everything before the result.
    pub header: ResponseHeader,
    /// The payload, or why there is none.
    pub result: Result<Data<'a>, RpcError>,
}

/// To which query a response belongs: a [`Response`] up to its result.
///
/// ```
/// use rpc_wire::{ProtocolVersion, QueryId, ResponseForm, ResponseHeader};
///
/// let id = QueryId::new(1);
/// let old = ResponseHeader::new(ProtocolVersion::MIN, id, Some(2));
/// assert_eq!(old.form, ResponseForm::V1, "which has no menu index");
/// let new = ResponseHeader::new(ProtocolVersion::MAX, id, Some(2));
/// assert_eq!(new.form, ResponseForm::V2 { menu_index: Some(bin_prot::Nat0(2)) });
/// ```
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

    /// What precedes a payload, if it is what usually does.
    #[inline]
    fn head(&self, payload: usize) -> Option<Head> {
        let id = self.id.get();
        let before_ok = match self.form {
            ResponseForm::V1 => Head::new(V1.into(), 1).then_id(id)?,
            ResponseForm::V2 { menu_index } => {
                let before = Head::new(V2.into(), 1).then_id(id)?;
                match menu_index {
                    None => before.then(0, 1),
                    Some(Nat0(index @ 0..=0x7f)) => before.then(1 | index << 8, 2),
                    Some(_) => return None,
                }
            }
        };
        before_ok.then(OK.into(), 1).then_length(payload)
    }

    /// Size of the message with a payload of `payload` bytes.
    #[inline]
    pub fn message_size(&self, payload: usize) -> usize {
        match self.head(payload) {
            Some(head) => head.len() + payload,
            None => self.any_message_size(payload),
        }
    }

    fn any_message_size(&self, payload: usize) -> usize {
        self.size() + 1 + nat0_size(payload) + payload
    }

    /// Appends the message up to its payload of `payload` bytes, which the caller appends next.
    ///
    /// # Errors
    /// The id or the index is outside its range.
    #[inline]
    pub fn write_before(&self, payload: usize, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
        match self.head(payload) {
            Some(head) => {
                head.write(buffer);
                Ok(())
            }
            None => self.write_any_before(payload, buffer),
        }
    }

    fn write_any_before(&self, payload: usize, buffer: &mut Vec<u8>) -> Result<(), WriteError> {
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
    /// The id and the payload, if this is the body of a response that is no error and whole.
    ///
    /// What most messages of a busy connection are, without building a
    /// [`Message`](super::Message); `None` says nothing but that
    /// [`Message::decode`](super::Message::decode) has to look at it.
    ///
    /// ```
    /// use rpc_wire::{QueryId, Response};
    ///
    /// let body = b"\x08\x07\x00\x00\x03two";
    /// assert_eq!(Response::split_ok(body), Some((QueryId::new(7), &b"two"[..])));
    /// ```
    #[inline]
    pub fn split_ok(body: &'a [u8]) -> Option<(QueryId, &'a [u8])> {
        let mut reader = Reader::new(body);
        let tag = reader.byte().ok()?;
        if tag != V2 && tag != V1 {
            return None;
        }
        let id = QueryId::bin_read(&mut reader).ok()?;
        if tag == V2 {
            Option::<Nat0>::bin_read(&mut reader).ok()?;
        }
        if reader.byte().ok()? != OK {
            return None;
        }
        let length = reader.nat0().ok()?;
        let payload = reader.rest();
        // What is left over behind a payload is not for here to judge.
        (length == payload.len() as u64).then_some((id, payload))
    }

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

#[cfg(test)]
mod tests {
    use super::super::head::EDGES;
    use super::*;

    #[test]
    fn usual_form_is_the_same_in_short() {
        let index = |index| ResponseForm::V2 {
            menu_index: Some(Nat0(index)),
        };
        let none = ResponseForm::V2 { menu_index: None };
        for form in [ResponseForm::V1, none, index(0), index(127), index(128)] {
            for (id, payload) in EDGES.iter().flat_map(|id| EDGES.map(|edge| (*id, edge))) {
                let header = ResponseHeader {
                    form,
                    id: QueryId::new(id),
                };
                let Some(payload) = usize::try_from(payload).ok() else {
                    continue;
                };
                let mut long = Vec::new();
                header.write_any_before(payload, &mut long).unwrap();
                let size = header.any_message_size(payload);
                assert_eq!(size, long.len() + payload);
                let mut short = Vec::with_capacity(long.len());
                header.write_before(payload, &mut short).unwrap();
                assert_eq!((&short, header.message_size(payload)), (&long, size));
                assert_eq!(short.capacity(), long.len());
            }
        }
    }
}
