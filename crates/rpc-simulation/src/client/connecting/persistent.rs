//! Durable values over persistent connections.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use durable_rpc::Listening;
use durable_rpc::persistent::{Builder, ConnectFailure, Event};
use rpc_core::Connection;

use super::{DurableValue, Making, listen};
use crate::fact::{Fact, Kept};
use crate::network::Address;

/// Must be called within a runtime: it connects at once.
pub(super) fn persistent(
    making: &Arc<Making>,
    retry_delay: Duration,
    exact: bool,
) -> (DurableValue, Listening) {
    let (world, name) = (making.world.clone(), making.name);
    let builder = builder(making).retry_delay(retry_delay);
    let builder = if exact {
        builder.without_randomness()
    } else {
        builder.seed(u64::from(name.0))
    };
    if making.plan.with_menu {
        let durable = builder.with_menu().start().durable();
        let listening = listen(&durable, world, name);
        (DurableValue::WithMenu(durable), listening)
    } else {
        let durable = builder.start().durable();
        let listening = listen(&durable, world, name);
        (DurableValue::Plain(durable), listening)
    }
}

fn builder(making: &Arc<Making>) -> Builder<Address, Connection, ConnectFailure> {
    let (asking, connecting, telling) = (making.clone(), making.clone(), making.clone());
    let look_up = move || {
        let address = asking.network.look_up(asking.plan.server);
        // The attempt begins with it.
        asking.world.tell(Fact::ConnectStarted(asking.name));
        async move { Ok::<_, ConnectFailure>(address) }
    };
    let connect = move |address| {
        let making = connecting.clone();
        async move {
            let result = making.connect_to(address).await;
            let link = result.as_ref().map(|(_, link)| *link);
            let link = link.map_err(ToString::to_string);
            making.world.tell(Fact::ConnectEnded(making.name, link));
            let (connection, _) = result.map_err(ConnectFailure::new)?;
            Ok(connection)
        }
    };
    Builder::new("simulated", look_up, connect).on_event(
        move |event: Event<Address, ConnectFailure>| {
            let kept = match event {
                Event::AttemptingToConnect => Kept::Attempting,
                Event::ObtainedAddress(address) => Kept::Address(address),
                Event::FailedToConnect(error) => Kept::Failed(with_causes(&error)),
                Event::Connected => Kept::Connected,
                Event::Disconnected => Kept::Disconnected,
            };
            telling.world.tell(Fact::Persistent(telling.name, kept));
            std::future::ready(())
        },
    )
}

/// By this errors are told apart (rule P-CY-3).
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
