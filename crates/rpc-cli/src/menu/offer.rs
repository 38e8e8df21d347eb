//! What one server answers, as far as it tells.

use anyhow::bail;
use rpc_core::{Connection, RpcShapes};
use rpc_versioned::{ConnectionWithMenu, MenuWithShapes, SHAPE_MENU_RPC};
use rpc_wire::{Description, Menu, RpcDigests};

/// One server's RPCs, sorted by name and version.
pub(crate) struct Offer {
    pub(crate) rpcs: Vec<Offered>,
}

/// One of them.
pub(crate) struct Offered {
    pub(crate) rpc: Description,
    pub(crate) digests: RpcDigests,
    /// There only if they were asked for.
    pub(crate) shapes: Option<RpcShapes>,
}

impl Offer {
    /// Asks a server. If it offers shapes, and they are asked for, then kinds and digests are those
    /// of the shapes where the menu does not tell them.
    pub(crate) async fn ask(connection: Connection, shapes: bool) -> anyhow::Result<Self> {
        let connection = ConnectionWithMenu::request(connection).await?;
        if !shapes {
            return Ok(Self::of(connection.menu()));
        }
        if !connection
            .menu()
            .contains(SHAPE_MENU_RPC.description().as_ref())
        {
            // Asking all the same would make some servers close the connection.
            bail!("the server does not offer the shapes of its types");
        }
        let shapes = MenuWithShapes::request(connection.connection()).await?;
        Self::with_shapes(connection.menu(), &shapes)
    }

    pub(crate) fn of(menu: &Menu) -> Self {
        let rpcs = menu.entries().iter().map(|entry| Offered {
            rpc: entry.description.clone(),
            digests: entry.digests,
            shapes: None,
        });
        Self {
            rpcs: rpcs.collect(),
        }
    }

    fn with_shapes(menu: &Menu, shapes: &MenuWithShapes) -> anyhow::Result<Self> {
        let mut offer = Self::of(menu);
        for offered in &mut offer.rpcs {
            let Some(shapes) = shapes.shapes(offered.rpc.as_ref()) else {
                continue;
            };
            if offered.digests == RpcDigests::Unknown {
                offered.digests = shapes.digests()?;
            }
            offered.shapes = Some(shapes.clone());
        }
        Ok(offer)
    }
}

/// The digests by the names of what they are of, in the order of the wire.
pub(crate) fn named(digests: &RpcDigests) -> Vec<(&'static str, String)> {
    let text = |digest: &rpc_wire::ShapeDigest| digest.0.to_string();
    match digests {
        RpcDigests::Rpc { query, response } => {
            vec![("query", text(query)), ("response", text(response))]
        }
        RpcDigests::OneWay { msg } => vec![("msg", text(msg))],
        RpcDigests::StreamingRpc {
            query,
            initial_response,
            update_response,
            error,
        } => vec![
            ("query", text(query)),
            ("initial_response", text(initial_response)),
            ("update_response", text(update_response)),
            ("error", text(error)),
        ],
        RpcDigests::Unknown => vec![],
    }
}
