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
    /// There only if the server was asked for them.
    pub(crate) shapes: Option<RpcShapes>,
}

/// Whether a server is asked for the shapes of its types, which are long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shapes {
    /// If the menu does not tell all digests, and the server offers the shapes. Those that it does not
    /// give are not told, then.
    AsNeeded,
    /// In any case.
    Wanted,
}

impl Offer {
    /// Asks a server. Kinds and digests that its menu does not tell are those of the shapes.
    pub(crate) async fn ask(connection: Connection, shapes: Shapes) -> anyhow::Result<Self> {
        let connection = ConnectionWithMenu::request(connection).await?;
        let mut offer = Self::of(connection.menu());
        let shape_menu = SHAPE_MENU_RPC.description();
        // Asking all the same would make some servers close the connection.
        let is_offered = connection.menu().contains(shape_menu.as_ref());
        match shapes {
            Shapes::Wanted if !is_offered => {
                bail!("the server does not offer the shapes of its types");
            }
            Shapes::Wanted => {
                offer.add(&MenuWithShapes::request(connection.connection()).await?)?;
            }
            Shapes::AsNeeded if is_offered && !offer.is_told() => {
                if let Ok(shapes) = MenuWithShapes::request(connection.connection()).await {
                    offer.add(&shapes)?;
                }
            }
            Shapes::AsNeeded => {}
        }
        Ok(offer)
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

    /// Whether the types of all RPCs are known.
    fn is_told(&self) -> bool {
        let mut rpcs = self.rpcs.iter();
        rpcs.all(|offered| offered.digests != RpcDigests::Unknown)
    }

    /// Adds what the answer to [`SHAPE_MENU_RPC`] tells. That does not list the RPC itself (rule V-RQ-5),
    /// but shows its types.
    fn add(&mut self, shapes: &MenuWithShapes) -> anyhow::Result<()> {
        let shape_menu = SHAPE_MENU_RPC.description();
        for offered in &mut self.rpcs {
            let is_unknown = offered.digests == RpcDigests::Unknown;
            if is_unknown && offered.rpc == shape_menu {
                offered.digests = SHAPE_MENU_RPC.digests();
            }
            let Some(shapes) = shapes.shapes(offered.rpc.as_ref()) else {
                continue;
            };
            if is_unknown {
                offered.digests = shapes.digests()?;
            }
            offered.shapes = Some(shapes.clone());
        }
        Ok(())
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
