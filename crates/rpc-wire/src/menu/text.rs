//! Menus as people read them: S-expressions.

use std::fmt;

use bin_prot::{ByteString, Sexp};

use super::{Menu, MenuEntry, RpcDigests, ShapeDigest};

impl RpcDigests {
    /// The kind alone, in the reference's words: `Rpc`, `One_way`, `Streaming_rpc`, or `Unknown`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Rpc { .. } => "Rpc",
            Self::OneWay { .. } => "One_way",
            Self::StreamingRpc { .. } => "Streaming_rpc",
            Self::Unknown => "Unknown",
        }
    }

    /// Kind and digests: `(One_way (msg 698cfa4093fe5e51523842d37b92aeac))`.
    pub fn to_sexp(&self) -> Sexp {
        let fields = |fields: &[(&str, ShapeDigest)]| {
            let fields = fields.iter().map(|(name, digest)| {
                let digest = ByteString::from(digest.0.to_string());
                Sexp::list([Sexp::atom(*name), Sexp::atom(digest)])
            });
            Sexp::list([Sexp::atom(self.kind())].into_iter().chain(fields))
        };
        match *self {
            Self::Rpc { query, response } => fields(&[("query", query), ("response", response)]),
            Self::OneWay { msg } => fields(&[("msg", msg)]),
            Self::StreamingRpc {
                query,
                initial_response,
                update_response,
                error,
            } => fields(&[
                ("query", query),
                ("initial_response", initial_response),
                ("update_response", update_response),
                ("error", error),
            ]),
            Self::Unknown => Sexp::atom(self.kind()),
        }
    }
}

impl Menu {
    /// The versions of each name and kind (rule V-ME-6), neighbours together:
    /// `((log One_way (1)) (price Rpc (1 2)))`.
    pub fn to_sexp(&self) -> Sexp {
        let same = |a: &MenuEntry, b: &MenuEntry| {
            a.description.name == b.description.name && a.digests.kind() == b.digests.kind()
        };
        Sexp::list(self.entries.chunk_by(same).map(|entries| {
            let head = entries.iter().take(1).flat_map(|entry| {
                let name = Sexp::atom(entry.description.name.clone());
                [name, Sexp::atom(entry.digests.kind())]
            });
            let versions = entries
                .iter()
                .map(|entry| version(entry.description.version));
            Sexp::list(head.chain([Sexp::list(versions)]))
        }))
    }

    /// Each version with its digests, those of a name together (rule V-ME-6):
    /// `((log ((1 (One_way (msg 698c…))))))`.
    pub fn to_sexp_with_digests(&self) -> Sexp {
        let same = |a: &MenuEntry, b: &MenuEntry| a.description.name == b.description.name;
        Sexp::list(self.entries.chunk_by(same).map(|entries| {
            let name = entries.iter().take(1);
            let name = name.map(|entry| Sexp::atom(entry.description.name.clone()));
            let versions = entries.iter().map(|entry| {
                Sexp::list([version(entry.description.version), entry.digests.to_sexp()])
            });
            Sexp::list(name.chain([Sexp::list(versions)]))
        }))
    }
}

fn version(number: i64) -> Sexp {
    Sexp::atom(number.to_string())
}

/// That of [`Menu::to_sexp`].
impl fmt::Display for Menu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_sexp().fmt(f)
    }
}
