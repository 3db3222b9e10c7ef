//! What a behaviour makes the SMSC do, seen by an ESME over a socket. Tests are named after the line of the
//! field notes that they serve, where there is one.

mod binds;
mod handsets;
mod receipts;
mod requests;
mod submits;

use smpp::pdu::{Address, Bind, Body, DataCoding, DataSm, DeliverSmResp, Pdu, QuerySm, SubmitSm};
use smpp::status::CommandStatus;
use smpp::tlv::{Tag, TlvBuffer};
use smsc_simulator::behavior::profiles;
use smsc_simulator::{Behavior, Config, Esme as Account, Simulator};

use crate::esme::{Esme, PHONE, behaving, bytes, simulator, text, with_receipt};
use crate::time::soon;

const OK: CommandStatus = CommandStatus::ESME_ROK;

async fn running(toml: &str) -> (Simulator, Esme) {
    let simulator = simulator(behaving(toml)).await;
    let esme = Esme::bound(&simulator).await;
    (simulator, esme)
}

async fn bound_as(simulator: &Simulator, bind: Body<'_>) -> Esme {
    let mut esme = Esme::connect(simulator).await;
    esme.send(1, bind).await;
    assert_eq!(esme.answer().await, (OK, 1));
    esme
}

/// An enquire_link's answer comes after everything that was due before.
async fn nothing_else(esme: &mut Esme) {
    esme.send(9_999, Body::EnquireLink).await;
    assert_eq!(esme.answer().await, (OK, 9_999));
}

/// The id in an answer to a submit.
async fn id(esme: &mut Esme) -> String {
    let frame = esme.next().await;
    let Body::SubmitSmResp(answer) = frame.pdu().body else { panic!("{:?}", frame.pdu()) };
    assert_eq!(frame.pdu().status, OK);
    String::from_utf8(answer.message_id.to_vec()).unwrap()
}

async fn acknowledge(esme: &mut Esme, pdu: Pdu<'_>) {
    esme.send(pdu.sequence.0, Body::DeliverSmResp(DeliverSmResp::default())).await;
}

#[tokio::test]
async fn a_data_sm_is_a_submit() {
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::bound(&simulator).await;
    let mut tlvs = TlvBuffer::new();
    tlvs.push(Tag::MESSAGE_PAYLOAD, b"payload").unwrap();
    let data = DataSm {
        source: Address::alphanumeric(b"BANK"),
        destination: Address::international(PHONE),
        registered_delivery: 1,
        data_coding: DataCoding::DEFAULT,
        tlvs: tlvs.as_tlvs(),
        ..DataSm::default()
    };
    esme.send(2, Body::DataSm(data)).await;
    let frame = esme.next().await;
    let Body::DataSmResp(answer) = frame.pdu().body else { panic!("{:?}", frame.pdu()) };
    let message = simulator.inbox().find(str::from_utf8(answer.message_id).unwrap()).unwrap();
    assert_eq!(message.text(), "payload");
    assert!(esme.receipt().await.contains("stat:DELIVRD"));
}

#[tokio::test]
async fn every_esme_has_its_own_password_seats_and_receipts() {
    let one = Account::from_toml("system_id = 'one'\npassword = 'first'\nbinds_max = 1").unwrap();
    let esmes = vec![one, Account::new("two", "second").unwrap()];
    let simulator = simulator(Config { esmes, ..Config::default() }).await;
    let bind = |system_id, password| Body::BindTransceiver(Bind { system_id, password, ..Bind::default() });
    for (system_id, password, status) in [
        (&b"one"[..], &b"second"[..], CommandStatus::ESME_RINVPASWD),
        (b"three", b"first", CommandStatus::ESME_RINVSYSID),
    ] {
        let mut esme = Esme::connect(&simulator).await;
        esme.send(1, bind(system_id, password)).await;
        assert_eq!(esme.answer().await.0, status);
    }
    let mut one = bound_as(&simulator, bind(b"one", b"first")).await;
    let mut two = bound_as(&simulator, bind(b"two", b"second")).await;
    let mut more = Esme::connect(&simulator).await;
    more.send(1, bind(b"one", b"first")).await;
    assert_eq!(more.answer().await.0, CommandStatus::ESME_RALYBND);
    one.send(2, Body::SubmitSm(with_receipt(text(b"x")))).await;
    let id = id(&mut one).await;
    assert!(one.receipt().await.contains(&id));
    two.send(2, Body::QuerySm(QuerySm { message_id: id.as_bytes(), source: Address::default() })).await;
    assert_eq!(two.answer().await.0, CommandStatus::ESME_RQUERYFAIL, "not its message");
}

#[tokio::test]
async fn a_behaviour_changes_while_sessions_are_bound() {
    let (simulator, mut esme) = running("").await;
    for (sequence, toml, status) in
        [(2, "", OK), (3, "submit.status = \"ESME_RSYSERR\"", CommandStatus::ESME_RSYSERR), (4, "", OK)]
    {
        simulator.set_behavior(Behavior::from_toml(toml).unwrap());
        assert_eq!(simulator.behavior(), Behavior::from_toml(toml).unwrap());
        esme.send(sequence, Body::SubmitSm(text(b"x"))).await;
        assert_eq!(esme.answer().await, (status, sequence));
    }
}

/// The fate of every (destination, ordinal), when the submits of 100 destinations go over so many binds.
async fn fates(toml: &str, binds: usize) -> Vec<(usize, u32)> {
    let simulator = simulator(behaving(toml)).await;
    let mut esmes = Vec::new();
    for _ in 0..binds {
        esmes.push(Esme::bound(&simulator).await);
    }
    let numbers: Vec<_> = (0..100).map(|n| format!("62812{n:07}")).collect();
    let mut fates = Vec::new();
    for (round, esme) in (0..3).zip((0..binds).cycle()) {
        // Other binds in another order each time.
        let order: Vec<_> = (0..100).map(|n| (n * 37 + round * 11) % 100).collect();
        for (sequence, n) in (2..).zip(order) {
            let esme = &mut esmes[(esme + n) % binds];
            let submit =
                SubmitSm { destination: Address::international(numbers[n].as_bytes()), ..text(b"x") };
            esme.send(sequence, Body::SubmitSm(submit)).await;
            let (status, _) = esme.answer().await;
            fates.push((round * 100 + n, status.0));
        }
    }
    fates.sort_unstable();
    fates
}

#[tokio::test]
async fn the_same_seed_gives_the_same_fates_over_one_bind_and_over_four() {
    let toml = concat!(
        "[[rule]]\npercent = 20\nsubmit.status = \"ESME_RTHROTTLED\"\n",
        "[[rule]]\npercent = 20\nsubmit.status = \"ESME_RSYSERR\"\n",
    );
    let one = fates(toml, 1).await;
    assert_eq!(one, fates(toml, 4).await);
    assert_ne!(one, fates(&format!("seed = 2\n{toml}"), 1).await);
    let spoilt = one.iter().filter(|(_, status)| *status != 0).count();
    assert!((70..150).contains(&spoilt), "{spoilt} of 300");
}

#[tokio::test]
async fn every_profile_but_the_dead_one_takes_submits() {
    for profile in profiles().iter().filter(|profile| profile.name != "dead") {
        let simulator = simulator(Config { behavior: profile.behavior(), ..Config::default() }).await;
        let mut esme = Esme::bound(&simulator).await;
        let mut stream = Vec::new();
        for sequence in 2..22 {
            let to = format!("62812{sequence:07}");
            let destination = Address::international(to.as_bytes());
            stream.extend(bytes(sequence, Body::SubmitSm(SubmitSm { destination, ..text(b"x") })));
        }
        esme.send_bytes(&stream).await;
        soon(async {
            while simulator.submits_accepted() < 10 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}
