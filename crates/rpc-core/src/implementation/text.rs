//! An implementation as text.

use std::fmt;

use bin_prot::Sexp;

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
            ("shapes", self.digests().to_sexp()),
            ("on_exception", Sexp::list(policy)),
        ])
    }
}

impl<S> fmt::Debug for Implementation<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_sexp().fmt(f)
    }
}
