//! A connection over a random transport, with some fate, of some version.

use std::sync::Arc;

use rpc_core::Connection;
use rpc_core::connection::{HandshakeError, Transport};
use rpc_wire::ProtocolVersion;
use tokio::net::{TcpStream, UnixStream};

use super::faulty::Faulty;
use super::ledger::{Done, Ledger};
use super::rpcs::callers_table;
use super::world::{World, config};
use crate::chance::Chance;

/// `None` is a server that has just gone, or a fault in the handshake.
pub(super) async fn connect(world: &Arc<World>, chance: &mut Chance) -> Option<Connection> {
    let ledger = &world.ledger;
    let made: Result<_, HandshakeError> = match chance.below(3) {
        0 => {
            let capacity = usize::try_from(1 + chance.below(100_000)).ok()?;
            let io = Faulty::new(world.memory(capacity), ledger, chance);
            serve(io, ledger, chance).await
        }
        1 => {
            let stream = TcpStream::connect(world.tcp()).await.ok()?;
            stream.set_nodelay(true).ok()?;
            let io = Faulty::new(stream, ledger, chance);
            serve(io, ledger, chance).await
        }
        _ => {
            let stream = UnixStream::connect(world.unix()).await.ok()?;
            let io = Faulty::new(stream, ledger, chance);
            serve(io, ledger, chance).await
        }
    };
    made.ok()
}

/// With some older version as the highest, now and then.
async fn serve<T: Transport>(
    io: T,
    ledger: &Ledger,
    chance: &mut Chance,
) -> Result<Connection, HandshakeError> {
    let highest = match chance.one_in(2) {
        true => ProtocolVersion::new(chance.below(11).cast_signed() + 1),
        false => None,
    };
    let highest = highest.unwrap_or(ProtocolVersion::MAX);
    let config = config().versions(ProtocolVersion::MIN..=highest);
    let connection = match callers_table() {
        Ok(table) => Connection::serve(io, config, &table, |_| ()).await?,
        Err(error) => unreachable!("{error}"),
    };
    let version = connection.version();
    let right = version == highest;
    ledger.check(
        right,
        format_args!("version {version} instead of {highest}"),
    );
    if version < ProtocolVersion::MAX {
        ledger.did(Done::OldVersions);
    }
    Ok(connection)
}
