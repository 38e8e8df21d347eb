//! A menu of a thousand entries.

use rpc_core::{Connection, Implementations, Rpc};
use rpc_wire::Description;

use super::{play_callee, play_caller, recordings};

static BULK_7: Rpc<i64, i64> = Rpc::new("bulk-00007", 1);

pub(super) const CASES: &[&str] = &["menu-large", "menu-large-digests"];

/// C-HS-13: the menu takes several reads, and the first query follows it at once.
#[tokio::test(start_paused = true)]
async fn our_caller_finds_its_way_in_a_large_recorded_menu() {
    for recording in recordings(CASES) {
        let (connection, mut peer) = play_callee(&recording, async |connection| {
            let menu = connection.peer_menu().unwrap();
            assert!(menu.entries().len() > 1000);
            assert_eq!(menu.has_digests(), has_digests(connection, &recording.case));
            let bulk = menu
                .descriptions()
                .filter(|rpc| rpc.name.as_bytes().starts_with(b"bulk-"));
            assert!(
                bulk.cloned()
                    .eq((0..1000).map(|n| Description::new(format!("bulk-{n:05}"), 1)))
            );
            assert_eq!(BULK_7.dispatch(connection, &41).await.unwrap(), 42);
        })
        .await;
        connection.close();
        peer.expect_end().await;
    }
}

/// The first form of a menu always has some, if only unknown ones.
fn has_digests(connection: &Connection, case: &str) -> bool {
    case == "menu-large-digests" || !connection.version().has_metadata_v2()
}

#[tokio::test(start_paused = true)]
async fn our_callee_answers_the_recorded_caller_of_a_large_menu() {
    let table = Implementations::builder()
        .implement_blocking(&BULK_7, |_: &Connection, n| Ok(n + 1))
        .build()
        .unwrap();
    for recording in recordings(CASES) {
        let (connection, mut peer) = play_caller(&recording, &table).await;
        peer.end().await;
        peer.expect_end().await;
        connection.closed().await;
    }
}
