//! Catalogue F: what the two sides tell of themselves in the handshake.

use bin_prot::shape::BinShape;
use bin_prot::{Array, Info};
use bytes::Bytes;
use rpc_core::Connection;
use rpc_core::connection::Config;
use rpc_wire::{RpcDigests, ShapeDigest};

use super::{Wire, bytes, entries, header};
use crate::pair::offering;

async fn wire(client: Config, server: Config) -> Wire {
    let client = client.identification("clin-id");
    let server = server.identification("serv-id");
    Wire::with(client, server, |_| ()).await.0
}

fn identification(connection: &Connection) -> Option<&[u8]> {
    connection.peer_identification().map(|bytes| &bytes[..])
}

/// The digests of the peer's menu, entry by entry.
fn digests(connection: &Connection) -> Option<Vec<RpcDigests>> {
    let menu = connection.peer_menu()?;
    Some(menu.entries().iter().map(|entry| entry.digests).collect())
}

/// F1: the first form, in which every entry has a digest.
#[tokio::test(start_paused = true)]
async fn version_3_tells_in_the_first_form() {
    let wire = wire(offering(3), offering(3)).await;
    let (client, server) = wire.take().await;
    let from_client = bytes(r#"04 01 07 "clin-id" 01 00"#);
    let from_server = bytes(&format!(r#"04 01 07 "serv-id" 01 06 {}"#, entries("03")));
    assert_eq!([from_client.len(), from_server.len()], [12, 93]);
    assert_eq!(client[..2], [header(3), from_client]);
    assert_eq!(server[..2], [header(3), from_server]);
    assert_eq!(header(3).len(), 9);
    assert_eq!(identification(&wire.client), Some(&b"serv-id"[..]));
    assert_eq!(identification(&wire.server), Some(&b"clin-id"[..]));
}

/// F2, F4: headers and nothing else, with shapes or without.
#[tokio::test(start_paused = true)]
async fn versions_below_3_tell_nothing() {
    for (client, server) in [(2, 3), (3, 1)] {
        for shapes in [false, true] {
            let theirs = offering(server.into()).provide_shapes(shapes);
            let wire = wire(offering(client.into()), theirs).await;
            let (by_client, by_server) = wire.take().await;
            assert_eq!(by_client, [header(client), vec![0]]);
            assert_eq!(by_server, [header(server), vec![0]]);
            for end in [&wire.client, &wire.server] {
                assert_eq!(identification(end), None);
                assert_eq!(end.peer_menu(), None);
            }
        }
    }
}

/// What the test RPCs are made of: the digests that the catalogue pins.
fn test_digests() -> Vec<RpcDigests> {
    let pinned = |shape: bin_prot::shape::Shape, expected: &str| {
        let digest = shape.digest().unwrap();
        assert_eq!(digest.to_string(), expected);
        ShapeDigest(digest)
    };
    let unit = pinned(<()>::bin_shape(), "86ba5df747eec837f0b391dd49f33f9e");
    let error = pinned(Info::bin_shape(), "52966f4a49a77bfdff668e9cc61511b3");
    let text = pinned(Bytes::bin_shape(), "e2d261c6c291b94bf6aa68ec2b08cb00");
    let ints = pinned(
        Array::<i64>::bin_shape(),
        "4c138035aa69ec9dd8b7a7119090f84a",
    );
    let plain = |both| RpcDigests::Rpc {
        query: both,
        response: both,
    };
    let stream = |initial_response| RpcDigests::StreamingRpc {
        query: text,
        initial_response,
        update_response: text,
        error,
    };
    vec![
        plain(ints),
        RpcDigests::OneWay { msg: text },
        stream(unit),
        plain(text),
        plain(text),
        stream(text),
    ]
}

/// F3, F5: with shapes the digests arrive in either form; without, *Unknown* does.
#[tokio::test(start_paused = true)]
async fn menus_have_digests_where_shapes_are_provided() {
    for (client, server) in [(3, 3), (6, 6), (3, 6), (11, 11)] {
        for shapes in [false, true] {
            let theirs = offering(server).provide_shapes(shapes);
            let wire = wire(offering(client), theirs).await;
            assert_eq!(wire.server.peer_menu().unwrap().entries(), []);
            let expected = if shapes {
                test_digests()
            } else {
                vec![RpcDigests::Unknown; 6]
            };
            assert_eq!(digests(&wire.client), Some(expected));
            // The first form sends what it does not know, the second one leaves it out.
            let explicit = shapes || client.min(server) < 6;
            let menu = wire.client.peer_menu().unwrap();
            assert_eq!(menu.has_digests(), explicit, "{client} and {server}");
        }
    }
}

/// F5, the last row.
#[tokio::test(start_paused = true)]
async fn version_2_sees_no_menu_of_version_6() {
    let wire = wire(offering(2), offering(6).provide_shapes(true)).await;
    assert_eq!(wire.client.peer_menu(), None);
    assert_eq!(wire.server.peer_menu(), None);
}
