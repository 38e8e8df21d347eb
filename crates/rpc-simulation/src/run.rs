//! One simulation, from a plan to its outcome.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use durable_rpc::Listening;
use tokio::runtime::{Builder, Handle};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, sleep_until};

use crate::adversary::Adversary;
use crate::client::{Command, Consumer, DurableValue, Making};
use crate::fact::{Census, Fact, Moment};
use crate::invariants;
use crate::names::{ConsumerName, DurableName, ServerName};
use crate::network::Network;
use crate::panics;
use crate::plan::{FLUSH_TIMEOUT, Plan, WRITE_TIMEOUT};
use crate::random::Random;
use crate::server::{Numbers, Server};
use crate::world::{Entry, Violation, World};

/// How a simulation went.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Everything that happened.
    pub trace: Vec<Entry>,
    /// What did not hold, if anything.
    pub violation: Option<Violation>,
}

/// Runs a plan on a runtime of its own, with a clock that moves when everybody waits. Panics of this
/// thread are not printed meanwhile, but are violations.
///
/// # Errors
/// The runtime cannot be made.
pub fn run(plan: &Plan) -> std::io::Result<Outcome> {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    #[cfg(tokio_unstable)]
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(
        &plan.seed.to_le_bytes(),
    ));
    let runtime = builder.build()?;
    panics::watch();
    let world = runtime.block_on(async {
        let world = World::new(invariants::all(plan));
        tokio::select! {
            // The first violation ends it; what is going on is dropped with the runtime.
            biased;
            () = world.violated() => {}
            () = scenes(plan, &world) => {}
        }
        world
    });
    drop(runtime);
    for panic in panics::take() {
        world.tell(Fact::Panicked(panic));
    }
    let (trace, violation) = world.take();
    Ok(Outcome { trace, violation })
}

async fn scenes(plan: &Plan, world: &World) {
    let mut random = Random::new(!plan.seed);
    let latencies = plan.servers.iter().map(|server| server.latency);
    let network = Network::new(world.clone(), random.fork(), latencies);
    let numbers = Arc::<Numbers>::default();
    let names = (0..).map(ServerName).zip(&plan.servers);
    let mut servers: Vec<_> = names
        .map(|(name, _)| Server::start(name, plan, &network, world, &numbers, random.fork()))
        .collect();
    let (durables, listening): (Vec<_>, Vec<_>) = durables(plan, world, &network).unzip();
    let (commands, mut consumers) = consumers(plan, world, &durables, &mut random);
    let mut adversary = Adversary {
        world: world.clone(),
        network: network.clone(),
        servers: &mut servers,
        consumers: &commands,
    };
    adversary.perform(plan).await;
    sleep_until(world.instant(plan.faults_end + plan.longest_recovery())).await;
    world.tell(census(Moment::Recovered, &servers, &network));

    for consumer in &commands {
        // One whose stream of events has ended is gone.
        let _gone = consumer.send(Command::Finish);
    }
    for consumer in &mut consumers {
        // A panic of a consumer's is noted where it happens.
        let _over = consumer.await;
    }
    sleep(plan.round_trips()).await;
    world.tell(census(Moment::SubscriptionsClosed, &servers, &network));

    drop((durables, listening));
    // Each side flushes what it has, and then waits a second for the other one to end.
    sleep(plan.round_trips() + FLUSH_TIMEOUT * 3 + WRITE_TIMEOUT + Duration::from_secs(2)).await;
    let published = servers.iter().map(Server::published).collect();
    drop(servers);
    sleep(Duration::from_millis(1)).await;
    let mut last = census(Moment::AllClosed, &[], &network);
    if let Fact::Census(census) = &mut last {
        census.published = published;
    }
    world.tell(last);
}

fn durables(
    plan: &Plan,
    world: &World,
    network: &Network,
) -> impl Iterator<Item = (DurableValue, Listening)> {
    let names = (0..).map(DurableName);
    names.zip(&plan.durables).map(|(name, plan)| {
        DurableValue::new(Making {
            name,
            plan: *plan,
            network: network.clone(),
            world: world.clone(),
        })
    })
}

type Consumers = (Vec<mpsc::UnboundedSender<Command>>, Vec<JoinHandle<()>>);

fn consumers(
    plan: &Plan,
    world: &World,
    durables: &[DurableValue],
    random: &mut Random,
) -> Consumers {
    let subscriptions = Arc::<AtomicU32>::default();
    let names = (0..).map(ConsumerName);
    names
        .zip(&plan.consumers)
        .map(|(name, plan)| {
            let (sender, commands) = mpsc::unbounded_channel();
            let consumer = Consumer {
                name,
                plan: *plan,
                durable: durables[usize::from(plan.durable.0)].clone(),
                world: world.clone(),
                subscriptions: subscriptions.clone(),
                random: random.fork(),
                commands,
            };
            (sender, tokio::spawn(consumer.run()))
        })
        .unzip()
}

fn census(moment: Moment, servers: &[Server], network: &Network) -> Fact {
    Fact::Census(Census {
        moment,
        published: servers.iter().map(Server::published).collect(),
        links: network.links(),
        tasks: Handle::current().metrics().num_alive_tasks(),
    })
}
