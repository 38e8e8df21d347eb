//! The errors that cross the wire.

use std::fmt;

use bin_prot::{BinProt, ByteString, Sexp};

use crate::{Description, ProtocolVersion, QueryId};

/// An error by which a callee answers a query (*protocol* §7).
///
/// `Connection_closed`, `Unknown_query_id` and `Message_too_big` normally arise on the caller's
/// side only, but a proxy may send them.
///
/// ```text
/// offset  width  meaning
///      0  1      the tag
///      1  …      the fields:
///                00 Bin_io_exn             Sexp
///                01 Connection_closed
///                02 Write_error            Sexp
///                03 Uncaught_exn           Sexp
///                04 Unimplemented_rpc      name: string ‖ f1 1d 86 94 ‖ version: int
///                05 Unknown_query_id       int
///                06 Authorization_failure  Sexp
///                07 Message_too_big        size: int ‖ limit: int
///                08 Unknown                Sexp
///                09 Lift_error             Sexp
///
/// 05  fe 2c 01                           Unknown_query_id 300
/// 04  04 6e 6f 70 65  f1 1d 86 94  03    Unimplemented_rpc "nope", version 3
/// ```
///
/// ```
/// use rpc_wire::RpcError;
///
/// let error: RpcError = bin_prot::from_slice(&[0x05, 0xfe, 0x2c, 0x01])?;
/// assert_eq!(error.to_string(), "(Unknown_query_id 300)");
/// # Ok::<(), bin_prot::ReadError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, BinProt)]
pub enum RpcError {
    /// The query could not be decoded.
    BinIoExn(Sexp),
    /// The connection ended before the answer.
    ConnectionClosed,
    /// The response, or one update, could not be sent.
    WriteError(Sexp),
    /// The handler raised.
    UncaughtExn(Sexp),
    /// The callee does not implement this name and version.
    UnimplementedRpc(ByteString, UnimplementedVersion),
    /// A response came for a query that nobody waits for.
    UnknownQueryId(QueryId),
    /// An authorization function refused. Since version 3.
    AuthorizationFailure(Sexp),
    /// The query exceeds the writer's limit. Since version 3.
    MessageTooBig {
        /// Size of the message's body, in bytes.
        size: i64,
        /// The limit, in bytes.
        max_message_size: i64,
    },
    /// Stands for an error that an older peer does not know. Since version 3.
    Unknown(Sexp),
    /// A lifting function failed. Since version 5.
    LiftError(Sexp),
}

/// The version inside [`RpcError::UnimplementedRpc`].
///
/// ```text
/// offset  width   meaning
///      0  4       f1 1d 86 94: the polymorphic variant `Version
///      4  1 to 9  the version, an int
///
/// f1 1d 86 94  03    version 3
/// ```
///
/// ```
/// use rpc_wire::UnimplementedVersion;
///
/// let bytes = bin_prot::to_vec(&UnimplementedVersion::Version(3))?;
/// assert_eq!(bytes, [0xf1, 0x1d, 0x86, 0x94, 0x03]);
/// # Ok::<(), bin_prot::WriteError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, BinProt)]
#[bin_prot(polymorphic)]
pub enum UnimplementedVersion {
    /// The version that was asked for.
    Version(i64),
}

impl RpcError {
    /// The error for an RPC that is not implemented.
    pub fn unimplemented(rpc: Description) -> Self {
        Self::UnimplementedRpc(rpc.name, UnimplementedVersion::Version(rpc.version))
    }

    /// What is sent to a peer at `version` in place of an error that it does not know
    /// (rule C-OP-6): `Unknown` with the original's text, or `Uncaught_exn` where that is
    /// unknown too. The receiver never undoes this.
    #[must_use]
    pub fn known_to(self, version: ProtocolVersion) -> Self {
        let known = match self {
            Self::LiftError(_) => version.has_lift_error(),
            Self::AuthorizationFailure(_) | Self::MessageTooBig { .. } | Self::Unknown(_) => {
                version.has_errors_of_version_3()
            }
            Self::BinIoExn(_)
            | Self::ConnectionClosed
            | Self::WriteError(_)
            | Self::UncaughtExn(_)
            | Self::UnimplementedRpc(..)
            | Self::UnknownQueryId(_) => true,
        };
        if known {
            self
        } else if version.has_errors_of_version_3() {
            Self::Unknown(self.to_sexp())
        } else {
            Self::UncaughtExn(self.to_sexp())
        }
    }

    /// The error as the reference prints it: `(Constructor arguments)`.
    pub fn to_sexp(&self) -> Sexp {
        let tagged = |name: &str, argument: Sexp| Sexp::list([Sexp::atom(name), argument]);
        let number = |n: &dyn fmt::Display| Sexp::atom(n.to_string());
        match self {
            Self::BinIoExn(sexp) => tagged("Bin_io_exn", sexp.clone()),
            Self::ConnectionClosed => Sexp::atom("Connection_closed"),
            Self::WriteError(sexp) => tagged("Write_error", sexp.clone()),
            Self::UncaughtExn(sexp) => tagged("Uncaught_exn", sexp.clone()),
            Self::UnimplementedRpc(name, UnimplementedVersion::Version(version)) => Sexp::list([
                Sexp::atom("Unimplemented_rpc"),
                Sexp::atom(name.clone()),
                tagged("Version", number(version)),
            ]),
            Self::UnknownQueryId(id) => tagged("Unknown_query_id", number(id)),
            Self::AuthorizationFailure(sexp) => tagged("Authorization_failure", sexp.clone()),
            Self::MessageTooBig {
                size,
                max_message_size,
            } => tagged(
                "Message_too_big",
                Sexp::record([
                    ("size", number(size)),
                    ("max_message_size", number(max_message_size)),
                ]),
            ),
            Self::Unknown(sexp) => tagged("Unknown", sexp.clone()),
            Self::LiftError(sexp) => tagged("Lift_error", sexp.clone()),
        }
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_sexp().fmt(f)
    }
}

impl std::error::Error for RpcError {}
