//! The capture file, as tshark reads it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use smpp::pdu::{Body, SubmitSm};
use smsc_simulator::{Config, Simulator};

use crate::esme::{Esme, bytes, credentials, simulator, text, with_receipt};

/// What tshark says about a file: for each packet the fields that were asked for, between tabs, those of
/// several PDUs in one packet between commas.
fn tshark(file: &Path, fields: &[&str]) -> Vec<String> {
    let output = Command::new("tshark")
        .args(["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-T", "fields", "-r"])
        .arg(file)
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .output()
        .expect("tshark is there: ./check installs it, or apt-get install tshark");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// All values of one field, in the order of the packets.
fn values(file: &Path, field: &str) -> Vec<String> {
    let packets = tshark(file, &[field]);
    packets
        .iter()
        .flat_map(|packet| packet.split(','))
        .filter(|one| !one.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Nothing malformed, no bad checksum, no gap: tshark has no complaint, and each stream is whole (handshake,
/// data, end: 31).
fn assert_sound(file: &Path, streams: usize) {
    let mut completeness = BTreeMap::new();
    for packet in tshark(
        file,
        &[
            "_ws.malformed",
            "tcp.analysis.flags",
            "ip.checksum.status",
            "tcp.checksum.status",
            "tcp.stream",
            "tcp.completeness",
        ],
    ) {
        let fields: Vec<_> = packet.split('\t').collect();
        assert_eq!(fields[..4], ["", "", "1", "1"], "{packet}");
        completeness.insert(fields[4].to_owned(), fields[5].to_owned());
    }
    assert_eq!(completeness.len(), streams);
    assert!(completeness.values().all(|last| last == "31"), "{completeness:?}");
}

async fn captured() -> (tempfile::TempDir, Simulator) {
    let folder = tempfile::tempdir().unwrap();
    let capture = Some(folder.path().join("smpp.pcap"));
    let simulator = simulator(Config { capture, ..Config::default() }).await;
    (folder, simulator)
}

#[tokio::test]
async fn tshark_decodes_a_session_from_bind_to_unbind() {
    let (folder, simulator) = captured().await;
    let mut esme = Esme::bound(&simulator).await;
    esme.send(2, Body::SubmitSm(with_receipt(text(b"kode 482913")))).await;
    assert!(esme.answer().await.0.is_ok());
    esme.receipt().await;
    esme.send(3, Body::EnquireLink).await;
    assert!(esme.answer().await.0.is_ok());
    esme.send(4, Body::Unbind).await;
    assert!(esme.answer().await.0.is_ok());
    esme.is_closed().await;
    drop(esme);
    simulator.stop().await;
    let file = folder.path().join("smpp.pcap");
    assert_sound(&file, 1);
    assert_eq!(
        values(&file, "smpp.command_id"),
        [
            "0x00000009",
            "0x80000009",
            "0x00000004",
            "0x80000004",
            "0x00000005",
            "0x80000005",
            "0x00000015",
            "0x80000015",
            "0x00000006",
            "0x80000006",
        ]
    );
    assert_eq!(values(&file, "smpp.destination_addr")[0], "628120001234");
}

#[tokio::test]
async fn a_pdu_in_many_pieces_and_many_in_one_are_all_decoded() {
    const MANY: usize = 2_000;
    let (folder, simulator) = captured().await;
    let mut esme = Esme::connect(&simulator).await;
    for byte in bytes(1, Body::BindTransceiver(credentials())) {
        esme.send_bytes(&[byte]).await;
    }
    assert!(esme.answer().await.0.is_ok());
    let submit = bytes(2, Body::SubmitSm(SubmitSm { ..text(&[b'x'; 140]) }));
    esme.send_bytes(&submit.repeat(MANY)).await;
    for _ in 0..MANY {
        assert!(esme.answer().await.0.is_ok());
    }
    drop(esme);
    simulator.stop().await;
    let file = folder.path().join("smpp.pcap");
    assert_sound(&file, 1);
    let commands = values(&file, "smpp.command_id");
    assert_eq!(commands.iter().filter(|command| *command == "0x00000004").count(), MANY);
    assert_eq!(commands.iter().filter(|command| *command == "0x80000004").count(), MANY);
}

#[tokio::test]
async fn each_connection_is_a_stream_of_its_own() {
    let (folder, simulator) = captured().await;
    for _ in 0..3 {
        Esme::bound(&simulator).await;
    }
    simulator.stop().await;
    assert_sound(&folder.path().join("smpp.pcap"), 3);
}

#[tokio::test]
async fn a_capture_that_cannot_be_written_is_a_reason_not_to_start() {
    let capture = Some("/no/such/folder/smpp.pcap".into());
    let refused = Simulator::start(Config { capture, ..Config::default() }).await.unwrap_err();
    assert!(refused.to_string().contains("/no/such/folder/smpp.pcap"), "{refused}");
}
