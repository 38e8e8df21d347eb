//! The menu with the full types of each RPC: what to look at when digests differ.

use bin_prot::shape::ShapeError;
use rpc_core::{Connection, Implementation, Rpc};
use rpc_wire::{Description, DescriptionRef, Menu, MenuError, RpcShapes, menu_rpc};

use crate::connection_with_menu::MenuRequestError;

/// Asks for a [`MenuWithShapes`] (rule V-RQ-5). Answered only by tables to which [its
/// implementation](MenuWithShapes::implementation) was added.
pub static SHAPE_MENU_RPC: Rpc<(), menu_rpc::Shapes> = Rpc::new("__Versioned_rpc.Shape_menu", 1);

/// RPCs with the structures of their types, sorted by name and version.
///
/// # Examples
///
/// ```
/// use rpc_core::connection::Config;
/// use rpc_core::{Connection, Implementations, Rpc};
/// use rpc_versioned::MenuWithShapes;
///
/// static ADD: Rpc<(i64, i64), i64> = Rpc::new("add", 1);
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let table = Implementations::<()>::builder()
///     .implement_blocking(&ADD, |(), (a, b)| Ok(a + b))
///     .build()?;
/// // It lists what it is made of, and not itself.
/// let table = table.add(MenuWithShapes::of(table.iter())?.implementation())?;
/// # let (near, far) = tokio::io::duplex(4096);
/// # let (connection, _serving) = tokio::try_join!(
/// #     Connection::create(near, Config::default()),
/// #     Connection::serve(far, Config::default(), &table, |_| ()),
/// # )?;
///
/// let menu = MenuWithShapes::request(&connection).await?;
/// let shapes = menu.shapes(ADD.description().as_ref()).expect("on the menu");
/// assert_eq!(shapes.digests()?, ADD.digests());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct MenuWithShapes {
    entries: menu_rpc::Shapes,
}

impl MenuWithShapes {
    /// A menu of these, in any order.
    ///
    /// # Errors
    /// [`MenuError::Duplicate`].
    pub fn new(
        entries: impl IntoIterator<Item = (Description, RpcShapes)>,
    ) -> Result<Self, MenuError> {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        let duplicate = entries.array_windows().find(|[(a, _), (b, _)]| a == b);
        if let Some([(rpc, _), _]) = duplicate {
            return Err(MenuError::Duplicate(rpc.clone()));
        }
        Ok(Self { entries })
    }

    /// A menu of these implementations, in any order.
    ///
    /// # Errors
    /// [`MenuError::Duplicate`]; none if they are those of one table.
    pub fn of<'a, S: 'a>(
        implementations: impl IntoIterator<Item = &'a Implementation<S>>,
    ) -> Result<Self, MenuError> {
        let entry = |one: &Implementation<S>| (one.description().clone(), one.shapes());
        Self::new(implementations.into_iter().map(entry))
    }

    /// What answers [`SHAPE_MENU_RPC`] with this menu.
    pub fn implementation<S: Send + 'static>(self) -> Implementation<S> {
        Implementation::blocking(&SHAPE_MENU_RPC, move |_, ()| Ok(self.entries.clone()))
    }

    /// Asks the peer for its menu with shapes.
    ///
    /// # Cancel safety
    /// Dropping the future forgets the answer.
    ///
    /// # Errors
    /// See [`MenuRequestError`]; *Unimplemented_rpc* if the peer has none.
    pub async fn request(connection: &Connection) -> Result<Self, MenuRequestError> {
        Ok(Self::new(SHAPE_MENU_RPC.dispatch(connection, &()).await?)?)
    }

    /// The RPCs with their shapes.
    pub fn entries(&self) -> &[(Description, RpcShapes)] {
        &self.entries
    }

    /// The shapes of one RPC.
    pub fn shapes(&self, rpc: DescriptionRef<'_>) -> Option<&RpcShapes> {
        let index = self
            .entries
            .binary_search_by(|(entry, _)| entry.as_ref().cmp(&rpc));
        let (_, shapes) = self.entries.get(index.ok()?)?;
        Some(shapes)
    }

    /// The menu of the shapes' digests.
    ///
    /// # Errors
    /// One of the shapes, which may be a peer's, is that of no type.
    pub fn to_menu(&self) -> Result<Menu, ShapeError> {
        let entry = |(rpc, shapes): &(Description, RpcShapes)| Ok((rpc.clone(), shapes.digests()?));
        let entries: Vec<_> = self.entries.iter().map(entry).collect::<Result<_, _>>()?;
        // Duplicates were refused before.
        Ok(Menu::with_digests(entries).unwrap_or_default())
    }
}
