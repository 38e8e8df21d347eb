//! What the process's environment says about connections.

use rpc_core::Environment;
use rpc_core::connection::Config;

/// The configuration that every connection of this program begins with.
pub(crate) fn config() -> Config {
    let config = Config::default();
    match Environment::of_process() {
        Ok(environment) => config.environment(environment),
        // Then `main` has not let the program start.
        Err(_) => config,
    }
}
