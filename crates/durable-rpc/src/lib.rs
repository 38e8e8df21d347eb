//! Durable values and subscriptions that survive lost Async_rpc connections.
