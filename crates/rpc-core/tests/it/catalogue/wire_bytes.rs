//! Catalogue E: every byte of whole conversations, version by version. Query ids are ours, which
//! count from 1.

use bin_prot::{Array, to_vec};
use bytes::Bytes;
use rpc_core::ExpertRpc;

use super::{SORT, TEST_1, TEST_2, TEST_PIPE, Wire, bytes, entries, header};
use crate::pair::offering;

const HEARTBEAT: &[u8] = &[0];

/// Both ends of a loop of version `number` begin with the same.
async fn looped(number: u8) -> Wire {
    let wire = Wire::looped(offering(number.into())).await;
    let mut expected = vec![header(number)];
    if number >= 6 {
        let metadata = bytes(&format!("07 00 01 06 {} 00", entries("")));
        assert_eq!(metadata.len(), 80);
        expected.push(metadata);
    }
    expected.push(HEARTBEAT.to_vec());
    assert_eq!(wire.take().await, (expected.clone(), expected));
    wire
}

fn array<const N: usize>(items: [i64; N]) -> Array<i64> {
    Array(items.to_vec())
}

/// E1.
#[tokio::test(start_paused = true)]
async fn plain_queries_at_the_latest_version() {
    let wire = looped(11).await;
    let sorted = SORT.dispatch(&wire.client, &array([384, 997, 166, 35]));
    assert_eq!(sorted.await.unwrap(), array([35, 166, 384, 997]));
    let query = bytes("0c 01 00 01 00 0b 04 fe8001 fee503 fea600 23");
    let response = bytes("08 01 01 00 00 0b 04 23 fea600 fe8001 fee503");
    assert_eq!((query.len(), response.len()), (17, 17));
    assert_eq!(wire.take().await, (vec![query], vec![response]));
    for (rpc, rank, id) in [(&TEST_1, "03", "02"), (&TEST_2, "04", "03")] {
        let foo = rpc.dispatch(&wire.client, &Bytes::from("foo"));
        assert_eq!(foo.await.unwrap(), "foo");
        let query = bytes(&format!(r#"0c 01 {rank} {id} 00 04 03 "foo""#));
        let response = bytes(&format!(r#"08 {id} 01 {rank} 00 04 03 "foo""#));
        assert_eq!((query.len(), response.len()), (10, 10));
        assert_eq!(wire.take().await, (vec![query], vec![response]));
    }
}

/// E2, with the bound in the configuration.
#[tokio::test(start_paused = true)]
async fn plain_query_below_the_latest_version() {
    let wire = looped(10).await;
    assert_eq!(header(10).len(), 16);
    let sorted = SORT.dispatch(&wire.client, &array([614, 512, 889]));
    assert_eq!(sorted.await.unwrap(), array([512, 614, 889]));
    let query = bytes(r#"09 04 "sort" 01 01 00 0a 03 fe6602 fe0002 fe7903"#);
    let response = bytes("08 01 01 00 00 0a 03 fe0002 fe6602 fe7903");
    assert_eq!((query.len(), response.len()), (20, 16));
    assert_eq!(wire.take().await, (vec![query], vec![response]));
}

/// C-RM-6: E3, E4.
#[tokio::test(start_paused = true)]
async fn pipe_query_at_the_latest_version_and_before_menu_indices() {
    let rows = [
        (
            11,
            r#"0c 01 02 01 00 09 d1f52fe2 04 03 "foo""#,
            "08 01 01 02 00",
            [15, 9, 20, 10],
        ),
        (
            6,
            r#"03 0d "test-pipe-rpc" 01 01 00 09 d1f52fe2 04 03 "foo""#,
            "02 01 00",
            [28, 7, 18, 8],
        ),
    ];
    for (number, query, response, sizes) in rows {
        let wire = looped(number).await;
        let pipe = TEST_PIPE.dispatch(&wire.client, &Bytes::from("foo"));
        let mut pipe = pipe.await.unwrap().unwrap();
        for _ in 0..2 {
            assert_eq!(pipe.next().await.unwrap(), "response");
        }
        assert_eq!(pipe.next().await, None);
        let query = bytes(query);
        let initial = bytes(&format!("{response} 03 00 00 00"));
        let update = bytes(&format!(r#"{response} 0e 798a0000 09 08 "response""#));
        let end = bytes(&format!("{response} 04 39796900"));
        assert_eq!([&query, &initial, &update, &end].map(Vec::len), sizes);
        let responses = vec![initial, update.clone(), update, end];
        assert_eq!(wire.take().await, (vec![query], responses));
    }
}

/// C-DI-1: E5, E6: whoever encodes the query.
#[tokio::test(start_paused = true)]
async fn versions_without_metadata() {
    let query = array([384, 997, 166, 35]);
    let encoded = to_vec(&query).unwrap();
    for (number, form, sizes) in [(2, "03", [21, 15]), (1, "01", [20, 15])] {
        let wire = looped(number).await;
        assert_eq!(header(number).len(), 6 + usize::from(number));
        for id in 1..=6 {
            if id <= 3 {
                let sorted = SORT.dispatch(&wire.client, &query);
                assert_eq!(sorted.await.unwrap(), array([35, 166, 384, 997]));
            } else {
                let sorted = ExpertRpc::new("sort", 1).dispatch(&wire.client, &encoded);
                let expected = array([35, 166, 384, 997]);
                assert_eq!(sorted.await.unwrap(), to_vec(&expected).unwrap());
            }
            let metadata = if number == 2 { "00" } else { "" };
            let payload = "0b 04 fe8001 fee503 fea600 23";
            let query = bytes(&format!(
                r#"{form} 04 "sort" 01 0{id} {metadata} {payload}"#
            ));
            let payload = "0b 04 23 fea600 fe8001 fee503";
            let response = bytes(&format!("02 0{id} 00 {payload}"));
            assert_eq!([&query, &response].map(Vec::len), sizes);
            assert_eq!(wire.take().await, (vec![query], vec![response]));
        }
    }
}

/// Both ends' frames up to the answer to a query that the client sends at once. Its query
/// precedes its heartbeat; the server's heartbeat precedes everything but its handshake.
async fn first_exchange(ours: u8, theirs: u8, query: Array<i64>) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let client = offering(ours.into()).identification("clin-id");
    let server = offering(theirs.into()).identification("serv-id");
    let dispatch = |connection: &_| SORT.dispatch(connection, &query);
    let (wire, call) = Wire::with(client, server, dispatch).await;
    call.await.unwrap();
    let (mut client, mut server) = wire.take().await;
    assert_eq!(client.remove(0), header(ours));
    assert_eq!(server.remove(0), header(theirs));
    if ours.min(theirs) >= 6 {
        assert_eq!(client.remove(0), bytes(r#"07 01 07 "clin-id" 01 00 00"#));
        let metadata = bytes(&format!(r#"07 01 07 "serv-id" 01 06 {} 00"#, entries("")));
        assert_eq!(metadata.len(), 88);
        assert_eq!(server.remove(0), metadata);
    }
    assert_eq!(client.pop().unwrap(), HEARTBEAT);
    assert_eq!(server.remove(0), HEARTBEAT);
    (client, server)
}

/// E7.
#[tokio::test(start_paused = true)]
async fn versions_1_and_2_meet() {
    for (ours, theirs) in [(1, 1), (2, 2), (1, 2), (2, 1)] {
        let (form, metadata) = if ours.min(theirs) == 2 {
            ("03", "00")
        } else {
            ("01", "")
        };
        let long = (
            array([384, 997, 166, 35]),
            "0b 04 fe8001 fee503 fea600 23",
            "0b 04 23 fea600 fe8001 fee503",
            [20, 15],
        );
        let empty = (array([]), "01 00", "01 00", [10, 5]);
        for (query, payload, answer, sizes) in [long, empty] {
            let (client, server) = first_exchange(ours, theirs, query).await;
            let query = bytes(&format!(r#"{form} 04 "sort" 01 01 {metadata} {payload}"#));
            let response = bytes(&format!("02 01 00 {answer}"));
            assert_eq!(query.len(), sizes[0] + metadata.len() / 2);
            assert_eq!(response.len(), sizes[1]);
            assert_eq!(client, [query], "{ours} and {theirs}");
            assert_eq!(server, [response], "{ours} and {theirs}");
        }
    }
}

/// C-RM-4: E8 to E11: E8, E9, E10, E11.
#[tokio::test(start_paused = true)]
async fn versions_with_metadata_meet() {
    let version_7 = r#"03 04 "sort" 01 01 00 06 05 05 04 03 02 01"#;
    let version_8 = r#"09 04 "sort" 01 01 00 06 05 05 04 03 02 01"#;
    let version_11 = "0c 01 00 01 00 06 05 05 04 03 02 01";
    for (ours, theirs, query, size) in [
        (7, 8, version_7, 16),
        (8, 7, version_7, 16),
        (8, 8, version_8, 16),
        (10, 11, version_8, 16),
        (11, 10, version_8, 16),
        (11, 11, version_11, 12),
    ] {
        let sorted = array([5, 4, 3, 2, 1]);
        let (client, server) = first_exchange(ours, theirs, sorted).await;
        let query = bytes(query);
        let response = bytes("08 01 01 00 00 06 05 01 02 03 04 05");
        assert_eq!((query.len(), response.len()), (size, 12));
        assert_eq!(client, [query], "{ours} and {theirs}");
        assert_eq!(server, [response], "{ours} and {theirs}");
    }
}
