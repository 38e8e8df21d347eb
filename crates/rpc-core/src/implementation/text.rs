//! An implementation as text.

use std::fmt;

use bin_prot::{ByteString, Sexp};
use rpc_wire::{RpcDigests, ShapeDigest};

use super::Implementation;

impl<S> Implementation<S> {
    /// Everything that is known of the implementation: kind, name, version, digests and policy
    /// (rule R-IM-9).
    pub fn to_sexp(&self) -> Sexp {
        let name = Sexp::atom(self.description.name.clone());
        let version = Sexp::atom(self.description.version.to_string());
        let policy = self.on_exception.as_ref();
        let policy = policy.map(|policy| Sexp::atom(format!("{policy:?}")));
        Sexp::record([
            ("tag", Sexp::atom(self.handler.kind().tag())),
            ("version", version),
            ("f", name),
            ("shapes", digests_sexp(self.digests())),
            ("on_exception", Sexp::list(policy)),
        ])
    }
}

fn digests_sexp(digests: RpcDigests) -> Sexp {
    fn variant<const N: usize>(name: &str, fields: [(&str, ShapeDigest); N]) -> Sexp {
        let fields = fields.map(|(name, digest)| {
            let digest = Sexp::atom(ByteString::from(digest.0.to_string()));
            Sexp::list([Sexp::atom(name), digest])
        });
        Sexp::list([Sexp::atom(name)].into_iter().chain(fields))
    }
    match digests {
        RpcDigests::Rpc { query, response } => {
            variant("Rpc", [("query", query), ("response", response)])
        }
        RpcDigests::OneWay { msg } => variant("One_way", [("msg", msg)]),
        RpcDigests::StreamingRpc {
            query,
            initial_response,
            update_response,
            error,
        } => variant(
            "Streaming_rpc",
            [
                ("query", query),
                ("initial_response", initial_response),
                ("update_response", update_response),
                ("error", error),
            ],
        ),
        RpcDigests::Unknown => Sexp::atom("Unknown"),
    }
}

impl<S> fmt::Debug for Implementation<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_sexp().fmt(f)
    }
}
