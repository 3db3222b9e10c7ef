//! What the gateway is started with: settings and subscribers of the load test's own.

use std::net::SocketAddr;
use std::time::Duration;

use gateway_sandbox::{Authenticator, Configuration, Secrets, Subscriber};

/// Challenges that a subscriber may have open: the gateway's default.
pub(crate) const OPEN_MAX: u64 = 3;
/// Sends that a subscriber may have in a day: the most that the gateway allows.
pub(crate) const SENDS_PER_DAY: u64 = 100;
/// Digits of a code.
pub(crate) const CODE_DIGITS: usize = 6;
/// The corporate id of every subscriber.
pub(crate) const CORPORATE_ID: &str = "LOADTEST";
/// Digits of a subscriber's number, which is the end of the user id and of the phone number.
pub(crate) const NUMBER_DIGITS: usize = 8;
/// What comes before the number in a user id.
pub(crate) const USER_PREFIX: &str = "U";
/// What comes before the number in a phone number as SMPP has it: its network, in turn.
const NETWORKS: [&str; 5] = ["62812", "62811", "62813", "62852", "62857"];
/// The networks that the simulator's profiles have sick: most of them, the first.
const SICK_NETWORKS: [&str; 8] = ["62899", "62898", "62897", "62896", "62895", "62894", "62893", "62892"];
/// The optional parameter by which the simulator recognises a second submit of one SMS.
pub(crate) const MARK_TAG: u16 = 0x1400;
/// SMPP's name for the gateway.
pub(crate) const SYSTEM_ID: &str = "loadtest";

/// What the configurations depend on.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) subscribers: u64,
    /// The time to live of a challenge.
    pub(crate) ttl: Duration,
    /// Links to the SMSC.
    pub(crate) binds: usize,
    /// SMPP submits without an answer, on each.
    pub(crate) window: usize,
    /// For the SMSC to answer.
    pub(crate) response_timer: Duration,
    pub(crate) receipts: bool,
    /// Whether submits carry the challenge and the send in the vendor's parameter [`MARK_TAG`].
    pub(crate) marked: bool,
    /// What the SMSC does, as the simulator's behaviour file has it; by default, all is well.
    pub(crate) behavior: String,
    /// Another SMSC, and what it does.
    pub(crate) second: Option<String>,
    /// API connections that may be open; the gateway's default if none.
    pub(crate) connections_max: Option<usize>,
    /// SMS that may wait. By default everything that one run can issue, so that the load decides how fast SMS leave, not a
    /// refusal.
    pub(crate) outbox_items_max: usize,
    /// Whether each decision has a line in the log.
    pub(crate) logs_decisions: bool,
    /// How many networks the subscribers are in.
    pub(crate) networks: usize,
    /// How many of the subscribers, the last, are in networks that the simulator's profiles have sick, and in how many.
    pub(crate) sick: u64,
    pub(crate) sick_networks: usize,
}

impl Setup {
    /// For this many subscribers, with the gateway's defaults.
    pub(crate) fn of(subscribers: u64) -> Self {
        Self {
            subscribers,
            ttl: Duration::from_secs(180),
            binds: 1,
            window: 20,
            response_timer: Duration::from_secs(10),
            receipts: true,
            marked: false,
            behavior: String::new(),
            second: None,
            connections_max: None,
            outbox_items_max: 1_000_000,
            logs_decisions: false,
            networks: 1,
            sick: 0,
            sick_networks: 1,
        }
    }
}

/// The gateway's configuration. What is not set here has its default.
pub(crate) fn configuration(setup: &Setup, secrets: &Secrets, smsc: SocketAddr) -> Configuration {
    let seconds = |duration: Duration| format!("{}s", duration.as_secs());
    let configuration = Configuration::new(smsc, SYSTEM_ID)
        .with_client("loadtest", "core", &secrets.api_key)
        .with("log.json", true)
        .with("codes.length", CODE_DIGITS)
        // Whatever the amount is.
        .with("codes.long_length", CODE_DIGITS)
        .with("challenge.ttl", seconds(setup.ttl))
        .with("challenge.open_max", OPEN_MAX)
        .with("challenge.sends_per_day", SENDS_PER_DAY)
        .with("store.subscribers_max", setup.subscribers)
        .with("outbox.items_max", setup.outbox_items_max)
        .with("smsc.binds", setup.binds)
        .with("smsc.window", setup.window)
        .with("smsc.response_timer", seconds(setup.response_timer))
        .with("smsc.mark_tlv", if setup.marked { MARK_TAG } else { 0 })
        .with("smsc.registered_delivery", u8::from(setup.receipts))
        .with("smsc.receipts_max", 1_000_000)
        .with("log.decisions", setup.logs_decisions);
    match setup.connections_max {
        Some(connections_max) => configuration.with("api.connections_max", connections_max),
        None => configuration,
    }
}

/// The subscribers, numbered from 0.
pub(crate) fn subscribers(setup: &Setup) -> impl Iterator<Item = Subscriber> + use<> {
    let networks = &NETWORKS[..setup.networks.clamp(1, NETWORKS.len())];
    let sick = &SICK_NETWORKS[..setup.sick_networks.clamp(1, SICK_NETWORKS.len())];
    let well = setup.subscribers - setup.sick;
    let network = move |number| {
        let networks = if number < well { networks } else { sick };
        networks[usize::try_from(number).unwrap_or_default() % networks.len()]
    };
    (0..setup.subscribers).map(move |number| Subscriber {
        company_name: "PT Uji Beban",
        corporate_id: CORPORATE_ID,
        user_id: format!("{USER_PREFIX}{number:0NUMBER_DIGITS$}"),
        phone: format!("{}{number:0NUMBER_DIGITS$}", network(number)),
        authenticator: Authenticator::SmsOtp,
    })
}

/// The number of the subscriber with this phone.
pub(crate) fn number_of(phone: &str) -> Option<u64> {
    let networks = NETWORKS.iter().chain(&SICK_NETWORKS);
    let digits = networks.into_iter().find_map(|network| phone.strip_prefix(network))?;
    (digits.len() == NUMBER_DIGITS).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_subscribers_as_asked_for() {
        let subscribers: Vec<_> = subscribers(&Setup::of(3)).collect();
        assert_eq!(subscribers.len(), 3);
        assert_eq!(
            (subscribers[2].user_id.as_str(), subscribers[2].phone.as_str()),
            ("U00000002", "6281200000002")
        );
    }

    #[test]
    fn the_last_subscribers_are_in_the_sick_network_and_the_others_in_several() {
        let setup = Setup { networks: 2, sick: 1, ..Setup::of(4) };
        let phones: Vec<_> = subscribers(&setup).map(|subscriber| subscriber.phone).collect();
        assert_eq!(phones, ["6281200000000", "6281100000001", "6281200000002", "6289900000003"]);
        let numbers: Vec<_> = phones.iter().filter_map(|phone| number_of(phone)).collect();
        assert_eq!(numbers, [0, 1, 2, 3]);
        assert_eq!((number_of("6280000000003"), number_of("628990000003")), (None, None));
        let setup = Setup { sick: 3, sick_networks: 8, ..Setup::of(10) };
        let phones: Vec<_> = subscribers(&setup).skip(7).map(|subscriber| subscriber.phone).collect();
        assert_eq!(phones, ["6289200000007", "6289900000008", "6289800000009"]);
    }
}
