//! The menu RPC: how peers below version 3, whose handshake has no menu, learn what is
//! implemented (rule C-CR-3).

use bin_prot::ByteString;
use rpc_wire::{Description, DescriptionRef};

use crate::implementation::{Handler, HandlerKind, Received, Source, Started};
use crate::payload::BinProt;
use crate::rpc::{self, UserErrors};
use crate::shapes::Types;

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
    fn handle(&self, _: &dyn Source<S>, query: &Received<'_>) -> Started {
        let Some(()) = query.decode::<(), BinProt>(rpc::QUERY_LOCATION) else {
            return Started::Done;
        };
        let call = query.call();
        call.respond::<_, BinProt>(&self.response, UserErrors::NEVER, HandlerKind::Plain)
            .into()
    }

    fn kind(&self) -> HandlerKind {
        HandlerKind::Plain
    }

    fn types(&self) -> Types {
        Types::plain::<(), Vec<(ByteString, i64)>, BinProt>()
    }
}
