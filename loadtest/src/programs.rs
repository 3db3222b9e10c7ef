//! Simulator and gateway with test data, started for a measurement.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use gateway_sandbox::{Sandbox, Secrets};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::children::{Child, ReadyOn, sibling};
use crate::clock;
use crate::cpu::Cores;
use crate::failure::Failure;
use crate::handsets::Handsets;
use crate::requests::Target;
use crate::setup::{MARK_TAG, SYSTEM_ID, Setup, configuration, subscribers};

/// The simulators' behaviours; without one, all is well.
const BEHAVIOR_FILES: [&str; 2] = ["behavior.toml", "behavior-2.toml"];

/// The running programs and their test data.
pub(crate) struct Programs {
    // Ended in this order: whoever connects before whom it connects to.
    pub(crate) handsets: Handsets,
    pub(crate) gateway: Child,
    pub(crate) simulator: Child,
    /// The other SMSC and its handsets.
    pub(crate) second: Option<(Child, Handsets)>,
    /// When the simulator was up.
    pub(crate) simulator_up: Instant,
    // Removed after the programs that read it.
    _sandbox: Sandbox,
    /// The simulator's web listener.
    pub(crate) web: SocketAddr,
    /// The gateway's admin listener.
    pub(crate) admin: SocketAddr,
    pub(crate) target: Target,
}

impl Programs {
    /// Starts simulator and gateway, each on its core, and watches the handsets.
    ///
    /// # Errors
    ///
    /// One of them is not built, or does not come up; no file can be written; the signal to stop.
    pub(crate) fn start(setup: &Setup, cores: Cores, stop: &CancellationToken) -> Result<Self, Failure> {
        let gateway_program = sibling("otp-gateway")?;
        let secrets = Secrets::draw().map_err(Failure::io("no randomness"))?;
        let not_written = || Failure::io("cannot write test files");
        let sandbox = Sandbox::new().map_err(not_written())?;
        let start = |file, behavior: &str| {
            sandbox.write(file, behavior).map_err(not_written())?;
            let mut simulator = start_simulator(&secrets, setup, &sandbox.path(file), cores.client)?;
            let (smpp, web) = simulator.ready(stop, simulator_ready)?;
            let handsets = Handsets::watch(web).map_err(Failure::io("cannot read the simulator's stream"))?;
            Ok::<_, Failure>((simulator, handsets, smpp, web))
        };
        let (simulator, handsets, smpp, web) = start(BEHAVIOR_FILES[0], &setup.behavior)?;
        let simulator_up = clock::now();
        let mut configuration = configuration(setup, &secrets, smpp);
        let mut second = None;
        if let Some(behavior) = &setup.second {
            let (simulator, handsets, smpp, _) = start(BEHAVIOR_FILES[1], behavior)?;
            configuration = configuration.with_another_smsc("second", smpp);
            second = Some((simulator, handsets));
        }
        sandbox.write_gateway(&configuration, &secrets, subscribers(setup)).map_err(not_written())?;
        let arguments = ["serve".into(), "--config".into(), sandbox.configuration().into_os_string()];
        let mut gateway =
            Child::start("otp-gateway", &gateway_program, &arguments, cores.server, ReadyOn::Stderr)?;
        let (server, admin) = gateway.ready(stop, gateway_ready)?;
        let target = Target { server, api_key: secrets.api_key, subscribers: setup.subscribers };
        Ok(Self { handsets, gateway, simulator, second, simulator_up, _sandbox: sandbox, web, admin, target })
    }

    /// Whether all programs still run.
    ///
    /// # Errors
    ///
    /// [`Failure::Child`] for the one that ended by itself.
    pub(crate) fn check(&mut self) -> Result<(), Failure> {
        self.gateway.check()?;
        self.simulator.check()?;
        self.second.iter_mut().try_for_each(|(simulator, _)| simulator.check())
    }
}

#[derive(Deserialize)]
struct SimulatorReady {
    smpp: String,
    web: String,
}

/// A line of the gateway's log.
#[derive(Deserialize)]
struct LogLine {
    fields: GatewayReady,
}

#[derive(Deserialize)]
struct GatewayReady {
    message: String,
    api: String,
    admin: String,
}

fn simulator_ready(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let ready: SimulatorReady = serde_json::from_str(line).ok()?;
    Some((ready.smpp.parse().ok()?, ready.web.strip_prefix("http://")?.parse().ok()?))
}

/// API and admin listener.
fn gateway_ready(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let LogLine { fields } = serde_json::from_str(line).ok()?;
    (fields.message == "ready").then(|| Some((fields.api.parse().ok()?, fields.admin.parse().ok()?)))?
}

fn start_simulator(secrets: &Secrets, setup: &Setup, behavior: &Path, core: usize) -> Result<Child, Failure> {
    let window = setup.window.to_string();
    let mut arguments: Vec<OsString> = [
        "serve",
        "--ready-json",
        "--smpp-listen=127.0.0.1:0",
        "--web-listen=127.0.0.1:0",
        "--system-id",
        SYSTEM_ID,
        "--password",
        &secrets.smsc_password,
        "--window",
        &window,
        "--behavior",
    ]
    .map(OsString::from)
    .into();
    arguments.push(behavior.into());
    if setup.marked {
        arguments.push(format!("--unique-tlv={MARK_TAG}").into());
    }
    Child::start("smsc-simulator", &sibling("smsc-simulator")?, &arguments, core, ReadyOn::Stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_in_which_programs_say_that_they_are_up_are_understood() {
        let simulator = r#"{"smpp":"127.0.0.1:1","web":"http://127.0.0.1:2","smpp_credentials":{}}"#;
        let [one, two] = ["127.0.0.1:1", "127.0.0.1:2"].map(|addr| addr.parse().unwrap());
        assert_eq!(simulator_ready(simulator), Some((one, two)));
        let gateway =
            r#"{"level":"INFO","fields":{"message":"ready","api":"127.0.0.1:1","admin":"127.0.0.1:2"}}"#;
        assert_eq!(gateway_ready(gateway), Some((one, two)));
        assert_eq!(gateway_ready(&gateway.replace("ready", "loaded")), None);
        assert_eq!(gateway_ready(r#"{"fields":{"message":"subscribers loaded"}}"#), None);
    }
}
