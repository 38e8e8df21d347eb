//! What a connection of the network does, and what faults do to it.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::*;

const SERVER: ServerName = ServerName(0);
const DURABLE: DurableName = DurableName(0);
const LATENCY: Duration = Duration::from_millis(10);
/// Longer than anything takes.
const LONG: Duration = Duration::from_secs(1_000);

/// A network with one host, which listens; and the two ends of a connection to it.
async fn connected() -> (Network, End, End) {
    let world = World::new(Vec::new());
    let network = Network::new(world, Random::new(1), std::iter::once(LATENCY));
    let mut accepted = network.listen(SERVER, 0);
    let client = network.connect(DURABLE, SERVER, 0).await.unwrap();
    let server = accepted.recv().await.unwrap();
    (network, client, server)
}

async fn read(end: &mut End, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    end.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// What reading results in, and when.
async fn timed_read(end: &mut End, length: usize) -> (io::Result<Vec<u8>>, Duration) {
    let start = Instant::now();
    (read(end, length).await, start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn bytes_arrive_in_order_and_after_the_latency() {
    let (_network, mut client, mut server) = connected().await;
    let sent: Vec<u8> = (0..=255).cycle().take(20_000).collect();
    client.write_all(&sent).await.unwrap();
    let (received, after) = timed_read(&mut server, sent.len()).await;
    assert_eq!(received.unwrap(), sent);
    assert_eq!(after, LATENCY);
}

#[tokio::test(start_paused = true)]
async fn writer_waits_for_a_reader_that_does_not_read() {
    let (_network, mut client, mut server) = connected().await;
    let too_much = vec![7; 100_000];
    let write = client.write_all(&too_much);
    assert!(timeout(LONG, write).await.is_err());
    let all = async {
        let (mut bytes, mut count) = ([0; 1000], 0);
        // What was cut off by giving up is not known, but more than nothing comes through.
        while let Ok(Ok(read)) = timeout(LONG, server.read(&mut bytes)).await {
            count += read;
        }
        count
    };
    let count = all.await;
    assert!((1..100_000).contains(&count), "{count}");
}

#[tokio::test(start_paused = true)]
async fn end_comes_after_what_was_sent_before() {
    let (_network, mut client, mut server) = connected().await;
    client.write_all(b"bye").await.unwrap();
    drop(client);
    assert_eq!(read(&mut server, 3).await.unwrap(), b"bye");
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    let write = server.write_all(b"hello?").await;
    assert_eq!(write.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test(start_paused = true)]
async fn cut_is_told_to_both_ends_and_loses_what_is_under_way() {
    let (network, mut client, mut server) = connected().await;
    client.write_all(b"lost").await.unwrap();
    network.cut(DURABLE);
    for end in [&mut client, &mut server] {
        let (result, after) = timed_read(end, 1).await;
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(after, Duration::ZERO);
        assert!(end.write_all(b"x").await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_told_to_nobody() {
    let (network, mut client, mut server) = connected().await;
    network.silence(DURABLE, Direction::Down);
    server.write_all(b"lost").await.unwrap();
    drop(server);
    assert!(timeout(LONG, client.read(&mut [0])).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn silence_in_one_direction_leaves_the_other() {
    let (network, mut client, mut server) = connected().await;
    network.silence(DURABLE, Direction::Up);
    client.write_all(b"lost").await.unwrap();
    server.write_all(b"heard").await.unwrap();
    assert_eq!(read(&mut client, 5).await.unwrap(), b"heard");
    assert!(timeout(LONG, server.read(&mut [0])).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_is_held_arrives_later() {
    let (network, mut client, mut server) = connected().await;
    let hold = Duration::from_secs(3);
    network.hold(DURABLE, Instant::now() + hold);
    client.write_all(b"late").await.unwrap();
    let (result, after) = timed_read(&mut server, 4).await;
    assert_eq!((result.unwrap(), after), (b"late".to_vec(), hold));
}

#[tokio::test(start_paused = true)]
async fn slow_and_far_links_take_their_time() {
    let (network, mut client, mut server) = connected().await;
    network.slow(SERVER, 1_000, true);
    client.write_all(&[7; 500]).await.unwrap();
    let (_, after) = timed_read(&mut server, 500).await;
    assert!(after > Duration::from_millis(200), "{after:?}");
    network.slow(SERVER, 1_000, false);
    let far = Duration::from_secs(2);
    network.far(SERVER, far, true);
    client.write_all(b"x").await.unwrap();
    assert_eq!(timed_read(&mut server, 1).await.1, far + LATENCY);
}

#[tokio::test(start_paused = true)]
async fn frozen_server_reads_and_writes_nothing_until_it_thaws() {
    let (network, mut client, mut server) = connected().await;
    network.freeze(SERVER, true);
    client.write_all(b"x").await.unwrap();
    assert!(timeout(LONG, server.read(&mut [0])).await.is_err());
    assert!(timeout(LONG, server.write(b"y")).await.is_err());
    network.freeze(SERVER, false);
    assert_eq!(read(&mut server, 1).await.unwrap(), b"x");
}

#[tokio::test(start_paused = true)]
async fn client_learns_of_a_power_cut_when_it_sends_to_who_is_back() {
    let (network, mut client, mut server) = connected().await;
    network.break_links(SERVER, Break::Untold);
    assert!(read(&mut server, 1).await.is_err());
    client.write_all(b"anybody?").await.unwrap();
    assert!(timeout(LONG, client.read(&mut [0])).await.is_err());
    network.disown_links(SERVER);
    client.write_all(b"anybody?").await.unwrap();
    let (result, after) = timed_read(&mut client, 1).await;
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(after, LATENCY * 2);
}

#[tokio::test(start_paused = true)]
async fn connecting_is_refused_ignored_or_misses_who_has_moved() {
    let (network, client, server) = connected().await;
    let refused = |result: io::Result<End>| {
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    };
    network.refuse(SERVER, true);
    refused(network.connect(DURABLE, SERVER, 0).await);
    network.refuse(SERVER, false);
    network.ignore(SERVER, true);
    let ignored = network.connect(DURABLE, SERVER, 0);
    assert!(timeout(LONG, ignored).await.is_err());
    network.ignore(SERVER, false);
    network.stop_listening(0);
    let _accepted = network.listen(SERVER, 5);
    refused(
        network
            .connect(DURABLE, SERVER, network.look_up(SERVER))
            .await,
    );
    network.announce(SERVER, 5);
    let moved = network
        .connect(DURABLE, SERVER, network.look_up(SERVER))
        .await;
    drop((moved.unwrap(), client, server));
}

#[tokio::test(start_paused = true)]
async fn links_are_forgotten_when_both_ends_are_gone() {
    let (network, client, server) = connected().await;
    assert_eq!(network.links(), [client.link()]);
    drop(client);
    assert_eq!(network.links().len(), 1);
    drop(server);
    assert!(network.links().is_empty());
}
