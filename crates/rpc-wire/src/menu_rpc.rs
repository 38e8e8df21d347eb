//! The RPCs by which a peer's menu is asked for: their names, and what they answer
//! (*protocol* §12).
//!
//! Both are ordinary plain RPCs with a unit as query, named by name and version since they are in no
//! menu. The first is needed where the handshake has no menu: below version 3. The second is there
//! only if the peer's user has added it.
//!
//! ```
//! use bin_prot::BinShape;
//! use rpc_wire::{Description, RpcShapes, menu_rpc};
//!
//! assert_eq!(menu_rpc::MENU.to_string(), "__Versioned_rpc.Menu version 1");
//! let names: menu_rpc::Names = bin_prot::from_slice(b"\x02\x04echo\x01\x04echo\x02")?;
//! assert_eq!(names, [("echo".into(), 1), ("echo".into(), 2)]);
//!
//! let msg = i64::bin_shape();
//! let log = (Description::new("log", 1), RpcShapes::OneWay { msg });
//! let answer: menu_rpc::Shapes = vec![log];
//! assert_eq!(bin_prot::to_vec(&answer)?[..8], *b"\x01\x03log\x01\x01\x01");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use bin_prot::shape::{Shape, ShapeError};
use bin_prot::{BinProt, ByteString, Sexp};

use crate::{Description, DescriptionRef, RpcDigests, ShapeDigest};

/// Asks for [`Names`].
pub const MENU: DescriptionRef<'static> = DescriptionRef {
    name: b"__Versioned_rpc.Menu",
    version: 1,
};

/// Asks for [`Shapes`].
pub const SHAPE_MENU: DescriptionRef<'static> = DescriptionRef {
    name: b"__Versioned_rpc.Shape_menu",
    version: 1,
};

/// Names and versions, sorted if the peer is a recent one.
///
/// ```text
/// offset  width       meaning
///      0  1, 3, 5, 9  N, a nat0
///                     then
///         …           N times name: string ‖ version: int
///
/// 01  04 65 63 68 6f 01    echo 1
/// ```
pub type Names = Vec<(ByteString, i64)>;

/// Every RPC with the shapes of its types.
///
/// ```text
/// offset  width       meaning
///      0  1, 3, 5, 9  N, a nat0
///                     then
///         …           N times a Description ‖ an RpcShapes
/// ```
pub type Shapes = Vec<(Description, RpcShapes)>;

/// The kind of an RPC and the shapes of its types: what [`RpcDigests`] are the digests of, and what
/// to look at when two of these differ (*protocol* §12, *shapes* §12).
///
/// ```text
/// offset  width  meaning
///      0  1      00: plain; 01: one-way; 02: pipe or state; 03: not known
///      1  …      the shapes, each a Sexp. Plain: query, response; one-way: message;
///                pipe or state: query, initial response, update, error
///
/// 01  01 03 00 04 42 61 73 65 00 03 69 6e 74 01 00    one-way, (Base int ())
/// ```
///
/// ```
/// use bin_prot::BinShape;
/// use rpc_wire::{RpcDigests, RpcShapes};
///
/// let shapes = RpcShapes::OneWay { msg: i64::bin_shape() };
/// assert_eq!(bin_prot::to_vec(&shapes)?, b"\x01\x01\x03\x00\x04Base\x00\x03int\x01\x00");
/// let RpcDigests::OneWay { msg } = shapes.digests()? else { unreachable!() };
/// assert_eq!(msg.0, i64::bin_shape().digest()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, BinProt)]
pub enum RpcShapes {
    /// Of a plain RPC.
    Rpc {
        /// The query.
        query: Shape,
        /// The response.
        response: Shape,
    },
    /// Of a one-way RPC.
    OneWay {
        /// The message.
        msg: Shape,
    },
    /// Of a pipe or state RPC.
    StreamingRpc {
        /// The query.
        query: Shape,
        /// The initial state; of a pipe RPC unit.
        initial_response: Shape,
        /// The updates.
        update_response: Shape,
        /// The callee's own error.
        error: Shape,
    },
    /// Not known: values of another encoding have no shapes.
    Unknown,
}

impl RpcShapes {
    /// Kind and shapes, as the reference prints them: `(One_way (msg (Base int ())))`
    /// (*shapes* §12).
    pub fn to_sexp(&self) -> Sexp {
        fn variant(name: &str, fields: &[(&str, &Shape)]) -> Sexp {
            let fields = fields.iter();
            let fields =
                fields.map(|(name, shape)| Sexp::list([Sexp::atom(*name), shape.to_sexp()]));
            Sexp::list([Sexp::atom(name)].into_iter().chain(fields))
        }
        match self {
            Self::Rpc { query, response } => {
                variant("Rpc", &[("query", query), ("response", response)])
            }
            Self::OneWay { msg } => variant("One_way", &[("msg", msg)]),
            Self::StreamingRpc {
                query,
                initial_response,
                update_response,
                error,
            } => variant(
                "Streaming_rpc",
                &[
                    ("query", query),
                    ("initial_response", initial_response),
                    ("update_response", update_response),
                    ("error", error),
                ],
            ),
            Self::Unknown => Sexp::atom("Unknown"),
        }
    }

    /// The digests that a menu has of these.
    ///
    /// # Errors
    /// One of the expressions, which may be a peer's, is not the shape of any type.
    pub fn digests(&self) -> Result<RpcDigests, ShapeError> {
        let digest = |shape: &Shape| shape.digest().map(ShapeDigest);
        Ok(match self {
            Self::Rpc { query, response } => RpcDigests::Rpc {
                query: digest(query)?,
                response: digest(response)?,
            },
            Self::OneWay { msg } => RpcDigests::OneWay { msg: digest(msg)? },
            Self::StreamingRpc {
                query,
                initial_response,
                update_response,
                error,
            } => RpcDigests::StreamingRpc {
                query: digest(query)?,
                initial_response: digest(initial_response)?,
                update_response: digest(update_response)?,
                error: digest(error)?,
            },
            Self::Unknown => RpcDigests::Unknown,
        })
    }
}
