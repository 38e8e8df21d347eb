//! The menu RPC: how peers below version 3, whose handshake has no menu, learn what is
//! implemented (rule C-CR-3).

use bin_prot::ByteString;
use rpc_wire::{Data, Description, DescriptionRef, RpcDigests};

use crate::implementation::{Call, Handler, Started};
use crate::payload::BinProt;
use crate::rpc::{self, UserErrors};

/// The query is unit; the response lists names and versions.
pub(super) struct MenuRpc {
    response: Vec<(ByteString, i64)>,
}

/// Whether this is the menu RPC.
pub(super) fn is_menu(rpc: DescriptionRef<'_>) -> bool {
    rpc == rpc::MENU
}

impl MenuRpc {
    pub(super) fn new<'a>(menu: impl Iterator<Item = &'a Description>) -> Self {
        let pair = |rpc: &Description| (rpc.name.clone(), rpc.version);
        Self {
            response: menu.map(pair).collect(),
        }
    }
}

impl<S> Handler<S> for MenuRpc {
    fn handle(&self, _: &S, data: Data<'_>, call: &Call) -> Started {
        if let Some(()) = call.decode::<(), BinProt>(data, rpc::QUERY_LOCATION) {
            let location = Handler::<S>::location(self);
            call.respond::<_, BinProt>(&self.response, UserErrors::NEVER, location);
        }
        Started::Done
    }

    fn location(&self) -> &'static str {
        "server-side rpc computation"
    }

    fn digests(&self) -> RpcDigests {
        rpc::digests::<(), Vec<(ByteString, i64)>, BinProt>()
    }
}
