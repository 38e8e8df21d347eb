//! Several servers, of which some are preferred.

use std::io;
use std::sync::{Arc, Mutex};

use durable_rpc::{Durable, Endpoints, Lookup, NoEndpoint};

/// Those that answer now, and those that have been asked.
#[derive(Clone, Default)]
struct Servers {
    up: Arc<Mutex<Vec<&'static str>>>,
    asked: Arc<Mutex<Vec<&'static str>>>,
}

impl Servers {
    async fn connect(self, server: &'static str) -> io::Result<&'static str> {
        self.asked.lock().unwrap().push(server);
        let is_up = self.up.lock().unwrap().contains(&server);
        if is_up {
            Ok(server)
        } else {
            Err(io::ErrorKind::ConnectionRefused.into())
        }
    }

    fn set_up(&self, up: &[&'static str]) {
        *self.up.lock().unwrap() = up.to_vec();
    }

    fn durable(&self) -> Durable<&'static str> {
        let (connecting, asking) = (self.clone(), self.clone());
        let connect = move |server| connecting.clone().connect(server);
        let is_broken = move |server: &&'static str| !asking.up.lock().unwrap().contains(server);
        Durable::new(Endpoints::new(["a", "b", "c"]).failover(connect), is_broken)
    }
}

/// One use tries them in order, beginning with the first each time, and no further than needed.
#[tokio::test(start_paused = true)]
async fn durable_value_fails_over_within_one_build() {
    let servers = Servers::default();
    let durable = servers.durable();
    let check = async |up: &[&'static str], expected, asked: &[&'static str]| {
        servers.set_up(up);
        assert_eq!(durable.with(async |server| server).await.unwrap(), expected);
        assert_eq!(std::mem::take(&mut *servers.asked.lock().unwrap()), asked);
    };
    check(&["a", "b"], "a", &["a"]).await;
    check(&["b", "c"], "b", &["a", "b"]).await;
    // The preferred one is back, but this one is intact.
    check(&["a", "b", "c"], "b", &[]).await;
    check(&["c"], "c", &["a", "b", "c"]).await;
    check(&["a", "b"], "a", &["a"]).await;
}

/// All of them are told, each with its error.
#[tokio::test(start_paused = true)]
async fn build_without_any_endpoint_tells_each_error() {
    let servers = Servers::default();
    let error = servers.durable().with(async |_| ()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "\"a\": connection refused; \"b\": connection refused; \"c\": connection refused"
    );
    let connect = move |server| servers.clone().connect(server);
    let failover = Endpoints::new(["a"]).failover(connect);
    let NoEndpoint { failures } = failover().await.unwrap_err();
    assert_eq!(failures.len(), 1);
}

/// For attempts that are made one by one: after each failure the next, and round again.
#[tokio::test(start_paused = true)]
async fn each_failure_is_the_turn_of_the_next() {
    let endpoints = Endpoints::try_new(["a", "b", "c"]).unwrap();
    let mut turns = String::new();
    for failures in 0..8 {
        turns += endpoints.look_up(failures).await.unwrap();
    }
    assert_eq!(turns, "abcabcab");
    assert_eq!(endpoints.look_up(u64::MAX).await.unwrap(), "a");
    assert!(Endpoints::<u8>::try_new([]).is_none());
    assert_eq!(endpoints.iter().count(), 3);
}
