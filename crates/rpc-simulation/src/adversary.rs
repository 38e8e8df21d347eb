//! Does what the script says, when it says it.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::client::Command;
use crate::fact::Fact;
use crate::names::ServerName;
use crate::network::Network;
use crate::plan::Plan;
use crate::plan::action::{Action, Blow, Death, Menu, Trouble};
use crate::server::{Fault, Server};
use crate::world::World;

/// Whom the adversary can reach.
#[derive(Debug)]
pub struct Adversary<'a> {
    /// Who is told.
    pub world: World,
    /// Where it cuts.
    pub network: Network,
    /// Whom it troubles.
    pub servers: &'a mut [Server],
    /// Whom it distracts.
    pub consumers: &'a [mpsc::UnboundedSender<Command>],
}

/// A moment of the script.
#[derive(Clone, Copy, Debug)]
enum Step {
    Begin(Action),
    End(Action),
    /// Clients learn a server's new address.
    Announce(ServerName),
}

impl Adversary<'_> {
    /// Runs the script, and then sees to it that everything can work again.
    pub async fn perform(&mut self, plan: &Plan) {
        for (at, step) in steps(plan) {
            sleep_until(self.world.instant(at)).await;
            match step {
                Step::Begin(action) => {
                    self.world.tell(Fact::Acted(action));
                    self.begin(action);
                }
                Step::End(action) => {
                    self.world.tell(Fact::Over(action));
                    self.end(action);
                }
                Step::Announce(server) => self.server(server).announce(),
            }
        }
        sleep_until(self.world.instant(plan.faults_end)).await;
        for server in &mut *self.servers {
            if server.menu() != Menu::ALL {
                server.go_down(Death::Crash);
                server.come_back(Death::Crash, Menu::ALL);
            }
            server.announce();
        }
        for consumer in self.consumers {
            // One whose stream of events has ended is gone.
            let _gone = consumer.send(Command::Hurry);
        }
        self.world.tell(Fact::Calm);
    }

    fn server(&mut self, name: ServerName) -> &mut Server {
        &mut self.servers[usize::from(name.0)]
    }

    fn begin(&mut self, action: Action) {
        match action {
            Action::Cut(durable) => self.network.cut(durable),
            Action::Finish(durable) => self.network.finish(durable),
            Action::Silence(durable, direction) => self.network.silence(durable, direction),
            Action::Hold(durable, lasts) => {
                let until = self.world.instant(self.world.now() + lasts);
                self.network.hold(durable, until);
            }
            Action::Trouble(server, Trouble::Down(death, _), _) => {
                self.server(server).go_down(death);
            }
            Action::Trouble(server, Trouble::Moves(death, _), _) => {
                self.server(server).go_down(death);
                self.server(server).move_away();
            }
            Action::Trouble(server, trouble, _) => self.trouble(server, trouble, true),
            Action::Blow(server, blow) => match blow {
                Blow::EndsStreams => self.server(server).end_streams(),
                Blow::Garbles => self.server(server).garble(),
                Blow::ClosesConnections => self.server(server).close_connections(),
            },
            Action::Consumer(consumer, whim) => {
                // One whose stream of events has ended is gone.
                let _gone = self.consumers[usize::from(consumer.0)].send(Command::Whim(whim));
            }
        }
    }

    fn end(&mut self, action: Action) {
        match action {
            Action::Trouble(server, Trouble::Down(death, menu), _) => {
                self.server(server).come_back(death, menu);
            }
            Action::Trouble(server, Trouble::Moves(death, _), _) => {
                let menu = self.server(server).menu();
                self.server(server).come_back(death, menu);
            }
            Action::Trouble(server, trouble, _) => self.trouble(server, trouble, false),
            // They end by themselves.
            Action::Cut(_)
            | Action::Finish(_)
            | Action::Silence(..)
            | Action::Hold(..)
            | Action::Blow(..)
            | Action::Consumer(..) => {}
        }
    }

    fn trouble(&mut self, server: ServerName, trouble: Trouble, begins: bool) {
        let fault = match trouble {
            Trouble::Frozen => return self.network.freeze(server, begins),
            Trouble::Slow(rate) => return self.network.slow(server, rate, begins),
            Trouble::Far(latency) => return self.network.far(server, latency, begins),
            Trouble::Refuses => return self.network.refuse(server, begins),
            Trouble::Ignores => return self.network.ignore(server, begins),
            Trouble::Mute => Fault::Mute,
            Trouble::UserErrors => Fault::UserErrors,
            Trouble::Raises => Fault::Raises,
            Trouble::Hangs => Fault::Hangs,
            Trouble::EndsAtOnce => Fault::EndsAtOnce,
            Trouble::Stuck => Fault::Stuck,
            Trouble::Down(..) | Trouble::Moves(..) => return,
        };
        self.server(server).set_fault(fault, begins);
    }
}

/// The beginnings and ends of all actions, in order of time; of those at one time, as in the
/// script.
fn steps(plan: &Plan) -> Vec<(Duration, Step)> {
    let mut steps = Vec::new();
    for timed in &plan.script {
        let action = timed.action;
        steps.push((timed.at, Step::Begin(action)));
        if let Action::Trouble(server, trouble, lasts) = action {
            steps.push((timed.at + lasts, Step::End(action)));
            if let Trouble::Moves(_, late) = trouble {
                steps.push((timed.at + lasts + late, Step::Announce(server)));
            }
        }
    }
    steps.sort_by_key(|(at, _)| *at);
    steps
}
