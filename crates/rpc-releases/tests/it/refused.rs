//! What a client loses that still asks for a version that was dropped.

use rpc_core::connection::Config;
use rpc_core::{Connection, DispatchError};
use rpc_releases::{release_1, release_2, release_3};
use rpc_wire::RpcError;

/// R-UN-2: its call, as often as it tries, and not the connection.
#[tokio::test]
async fn refused_client_keeps_its_connection() {
    let table = release_3::table(|_| ()).unwrap();
    let (near, far) = tokio::io::duplex(4096);
    let (client, server) = tokio::join!(
        Connection::create(near, Config::default()),
        Connection::serve(far, Config::default(), &table, |_| ()),
    );
    let (client, _server) = (client.unwrap(), server.unwrap());
    for _ in 0..2 {
        let error = release_1::ask(&client, "AB".to_owned()).await.unwrap_err();
        let DispatchError::Rpc(error) = error else {
            panic!("{error:?}");
        };
        let expected = RpcError::unimplemented(release_1::PRICE_1.description());
        assert_eq!(error, expected);
        let pieces = release_2::STOCK_1.dispatch(&client, &"AB".to_owned()).await;
        assert_eq!(pieces.unwrap(), 14);
    }
}
