//! Menus and versions of Async_rpc connections.
