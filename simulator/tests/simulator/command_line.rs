//! The binary: its line when it is up, its stop, its refusals.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use smpp::pdu::{Bind, Body};

use crate::esme::bytes;

const BINARY: &str = env!("CARGO_BIN_EXE_smsc-simulator");

fn serve(settings: &[&str]) -> Child {
    Command::new(BINARY)
        .args(["serve", "--smpp-listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0"])
        .args(settings)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn it_says_when_it_is_up_and_stops_on_sigterm() {
    let mut child = serve(&["--ready-json"]);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    let credentials = &ready["smpp_credentials"];
    let bind = Bind {
        system_id: credentials["system_id"].as_str().unwrap().as_bytes(),
        password: credentials["password"].as_str().unwrap().as_bytes(),
        ..Bind::default()
    };
    let mut stream = TcpStream::connect(ready["smpp"].as_str().unwrap()).unwrap();
    stream.write_all(&bytes(1, Body::BindTransceiver(bind))).unwrap();
    let mut header = [0; 16];
    stream.read_exact(&mut header).unwrap();
    assert_eq!(header[8..12], [0; 4], "the printed password is the right one");
    let killed = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest[rest.len() - 9], 0x06, "an unbind comes before the end");
    assert!(child.wait().unwrap().success());
}

#[test]
fn settings_that_make_no_sense_end_it_with_64_and_a_reason() {
    for (settings, reason) in [
        (&["--window", "0"][..], "--window: found 0, allowed 1 to 10000\n"),
        (&["--password", "far-too-long"], "--password: found something else, allowed up to 8 printable"),
        (&["--latency", "25h"], "--latency: found 1day 1h, allowed a day at most\n"),
    ] {
        let output = serve(settings).wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{settings:?}");
        assert!(output.stdout.is_empty());
        assert!(String::from_utf8(output.stderr).unwrap().contains(reason), "{settings:?}");
    }
}

#[test]
fn an_address_that_is_taken_ends_it_with_69() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Command::new(BINARY)
        .args(["serve", "--web-listen", "127.0.0.1:0", "--smpp-listen", &address])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(69));
    assert!(String::from_utf8(output.stderr).unwrap().contains(&address));
}

#[test]
fn it_listens_under_tls_and_captures_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["smsc.test".to_owned()]).unwrap();
    std::fs::write(path("cert.pem"), cert.pem()).unwrap();
    std::fs::write(path("key.pem"), signing_key.serialize_pem()).unwrap();
    // A file of an earlier run, with another mode.
    std::fs::write(path("smpp.pcap"), "old").unwrap();
    let (cert, key, capture) = (path("cert.pem"), path("key.pem"), path("smpp.pcap"));
    let tls = ["--tls-listen", "127.0.0.1:0", "--tls-cert", &cert, "--tls-key", &key];
    let mut child = serve(&[&tls[..], &["--ready-json", "--capture", &capture]].concat());
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    TcpStream::connect(ready["tls"].as_str().unwrap()).unwrap();
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    assert!(std::fs::read(&capture).unwrap().starts_with(&[0xD4, 0xC3, 0xB2, 0xA1]));
    assert_eq!(std::fs::metadata(&capture).unwrap().permissions().mode() & 0o777, 0o600);
    let output = serve(&[&tls[..4], &["--tls-key", &capture]].concat()).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(66), "a key that is no text");
}
