//! The rest of the HTTP API: the behaviour, one message in full, counters, and what handsets send.

use std::net::SocketAddr;

use serde_json::json;
use smpp::pdu::{Body, DataCoding, SubmitSm};
use smpp::status::CommandStatus;
use smpp::tlv::{Tag, TlvBuffer};
use smsc_simulator::behavior::{Profile, TEXT_BYTES_MAX, profiles};
use smsc_simulator::{Behavior, Config};

use crate::esme::{Esme, behaving, credentials, simulator, text, with_receipt};
use crate::http::{Reply, call, get};
use crate::time::soon;

/// A request with a body.
async fn write(web: SocketAddr, request: &str, content_type: &str, body: &str) -> Reply {
    let head = format!("{request} HTTP/1.1\nHost: {web}\nContent-Type: {content_type}");
    call(web, &head, body).await
}

async fn put(web: SocketAddr, toml: &str) -> Reply {
    write(web, "PUT /behavior", "application/toml", toml).await
}

#[tokio::test]
async fn a_behavior_is_put_shown_as_it_was_written_and_in_effect() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    let mut esme = Esme::bound(&simulator).await;
    let toml = "# my own\n[submit]\nstatus = \"ESME_RSYSERR\"\n";
    let reply = put(web, toml).await;
    assert_eq!((reply.status, reply.body.as_str()), (204, ""));
    let shown = get(web, "/behavior").await;
    assert_eq!((shown.body.as_str(), shown.header("content-type")), (toml, Some("application/toml")));
    assert_eq!(simulator.behavior(), Behavior::from_toml(toml).unwrap());
    esme.send(2, Body::SubmitSm(text(b"x"))).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RSYSERR, 2));
    // What is changed in process is shown as well.
    simulator.set_behavior(Profile::named("slow").unwrap().behavior());
    assert_eq!(get(web, "/behavior").await.body, Profile::named("slow").unwrap().toml);
}

#[tokio::test]
async fn the_steps_of_a_scenario_follow_each_other_and_are_shown() {
    let toml = "scenario = \"failing 300ms, dead 300ms, healthy\"\n\
                [[phase]]\nname = \"failing\"\nsubmit.status = \"ESME_RSYSERR\"\n";
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    assert_eq!(get(web, "/counters").await.json()["scenario_step"], serde_json::Value::Null);
    let mut esme = Esme::bound(&simulator).await;
    assert_eq!(put(web, toml).await.status, 204);
    esme.send(2, Body::SubmitSm(text(b"x"))).await;
    assert_eq!(esme.answer().await, (CommandStatus::ESME_RSYSERR, 2));
    let mut seen = vec![];
    soon(async {
        while seen.last().is_none_or(|name| name != "healthy") {
            let step = &get(web, "/counters").await.json()["scenario_step"];
            let name = step["name"].as_str().unwrap().to_owned();
            let metrics = get(web, "/metrics").await.body;
            if !seen.contains(&name) {
                assert_eq!(step["number"], seen.len() + 1);
                seen.push(name);
            }
            assert!(metrics.contains("\nsmscsim_scenario_step "), "{metrics}");
        }
    })
    .await;
    assert_eq!(seen, ["failing", "dead", "healthy"]);
    assert_eq!(get(web, "/counters").await.json()["scenario_step"]["seconds_left"], serde_json::Value::Null);
    assert_eq!(get(web, "/behavior").await.body, toml, "it is shown as it was written");
    esme.submit(3, text(b"x")).await;
}

#[tokio::test]
async fn what_is_in_force_is_told_with_its_name_its_health_and_its_beginning() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    let told = || async { get(web, "/counters").await.json()["behavior"].clone() };
    let began = told().await;
    assert_eq!((&began["title"], &began["healthy"]), (&"Healthy".into(), &true.into()));
    assert_eq!(put(web, Profile::named("dead").unwrap().toml).await.status, 204);
    let dead = told().await;
    assert_eq!(
        (&dead["profile"], &dead["title"], &dead["healthy"]),
        (&"dead".into(), &"Dead".into(), &false.into())
    );
    assert!(began["since"].as_str() <= dead["since"].as_str(), "{began} {dead}");
    assert_eq!(told().await, dead, "it has changed by itself");
    assert_eq!(put(web, "scenario = \"calm\"\n[[phase]]\nname = \"calm\"\n").await.status, 204);
    let step = told().await;
    assert_eq!((&step["title"], &step["healthy"]), (&"calm".into(), &true.into()));
}

#[tokio::test]
async fn l4_a_dead_smsc_answers_no_bind_and_its_sessions_go_quiet_with_the_next_submit() {
    let simulator = simulator(Config::default()).await;
    let mut before = Esme::bound(&simulator).await;
    simulator.set_behavior(Profile::named("dead").unwrap().behavior());
    before.send(2, Body::SubmitSm(text(b"x"))).await;
    before.send(3, Body::EnquireLink).await;
    let mut after = Esme::connect(&simulator).await;
    after.send(1, Body::BindTransceiver(credentials())).await;
    after.send(2, Body::EnquireLink).await;
    for fault in ["half_open", "bind_unanswered"] {
        let counted = format!("smscsim_faults_total{{kind=\"{fault}\"}} 1\n");
        soon(async { while !get(simulator.web_addr(), "/metrics").await.body.contains(&counted) {} }).await;
    }
    assert!(before.has_nothing() && after.has_nothing());
    assert_eq!(simulator.submits_accepted(), 1);
    simulator.set_behavior(Behavior::default());
    Esme::bound(&simulator).await;
}

#[tokio::test]
async fn a_behavior_may_be_put_as_json() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    let json = r#"{"seed": 7, "submit": {"latency": "5ms"}}"#;
    assert_eq!(write(web, "PUT /behavior", "application/json", json).await.status, 204);
    let shown = get(web, "/behavior").await.body;
    assert!(shown.contains("seed = 7") && shown.contains("latency = \"5ms\""), "{shown}");
}

#[tokio::test]
async fn a_fault_in_a_behavior_is_told_with_its_place_and_changes_nothing() {
    let simulator = simulator(behaving("seed = 5")).await;
    let web = simulator.web_addr();
    let reply = put(web, "seed = 1\n\n[submit]\nlatency = \"fast\"\n").await;
    assert_eq!((reply.status, reply.header("content-type")), (422, Some("application/problem+json")));
    let problem = reply.json();
    assert_eq!((&problem["line"], &problem["column"]), (&4.into(), &11.into()));
    assert_eq!(problem["field"], "submit.latency");
    assert!(problem["detail"].as_str().unwrap().contains("\"fast\""), "{problem}");
    assert_eq!(simulator.behavior().seed, 5);
    let large = put(web, &"#".repeat(TEXT_BYTES_MAX + 1)).await;
    assert_eq!(large.status, 413);
}

#[tokio::test]
async fn a_behavior_is_written_by_our_own_page_alone() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    assert_eq!(write(web, "PUT /behavior", "text/plain", "seed = 2").await.status, 415);
    assert_eq!(write(web, "DELETE /messages", "application/toml", "").await.status, 415);
    let foreign = "application/toml\nOrigin: http://evil.example";
    assert_eq!(write(web, "PUT /behavior", foreign, "seed = 2").await.status, 403);
    assert_eq!(
        write(web, "POST /behavior", "application/toml", "").await.header("allow"),
        Some("GET,HEAD,PUT")
    );
    assert_eq!(simulator.behavior(), Behavior::default());
}

#[tokio::test]
async fn every_profile_is_listed_with_its_text() {
    let simulator = simulator(Config::default()).await;
    let list = get(simulator.web_addr(), "/behavior/profiles").await.json();
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), profiles().len());
    for (listed, profile) in list.iter().zip(profiles()) {
        assert_eq!((&listed["name"], &listed["toml"]), (&profile.name.into(), &profile.toml.into()));
        assert_eq!(
            (&listed["title"], &listed["description"]),
            (&profile.title.into(), &profile.description.into())
        );
    }
}

#[tokio::test]
async fn s12_a_message_is_told_with_every_field_as_it_came() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    let mut esme = Esme::bound(&simulator).await;
    let mut tlvs = TlvBuffer::new();
    tlvs.push_u16(Tag::USER_MESSAGE_REFERENCE, 0x0AFF);
    let submit = SubmitSm {
        service_type: b"CMT",
        validity_period: b"000000000300000R",
        priority_flag: 2,
        data_coding: DataCoding(8),
        tlvs: tlvs.as_tlvs(),
        ..with_receipt(text(b"\x00H\x00i"))
    };
    esme.send(2, Body::SubmitSm(submit)).await;
    let frame = esme.next().await;
    let Body::SubmitSmResp(answer) = frame.pdu().body else { panic!("no answer to the submit") };
    let id = str::from_utf8(answer.message_id).unwrap();
    esme.receipt().await;
    // Answered after the acknowledgement, and so proof that it was read.
    esme.send(9, Body::EnquireLink).await;
    esme.answer().await;
    let told = get(web, &format!("/messages/{id}")).await.json();
    assert_eq!((&told["id"], &told["message_id"], &told["text"]), (&id.into(), &id.into(), &"Hi".into()));
    assert_eq!((&told["state"], &told["data_coding"]), (&"delivered".into(), &8.into()));
    let left = told["seconds_left"].as_f64().unwrap();
    assert!((100.0..=180.0).contains(&left), "{left}");
    let pdu = &told["pdu"];
    assert_eq!((&pdu["system_id"], &pdu["sequence_number"]), (&"gateway".into(), &2.into()));
    assert_eq!((&pdu["service_type"], &pdu["priority_flag"]), (&"CMT".into(), &2.into()));
    assert_eq!(pdu["source"], serde_json::json!({"ton": 5, "npi": 0, "address": "BANK"}));
    assert_eq!(told["tlvs"], serde_json::json!([{"tag": 0x0204, "value": "0aff"}]));
    assert_eq!(told["receipts"][0]["state"], "delivered");
    assert_eq!(told["receipts"][0]["outcome"], "acknowledged");
    for nobody in ["/messages/0000000000000001", "/messages/no-id"] {
        assert_eq!(get(web, nobody).await.status, 404, "{nobody}");
    }
}

#[tokio::test]
async fn counters_count_what_the_metrics_count() {
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::bound(&simulator).await;
    esme.send(2, Body::SubmitSm(text(b"x"))).await;
    assert!(esme.answer().await.0.is_ok());
    let counters = get(simulator.web_addr(), "/counters").await.json();
    assert_eq!((&counters["sessions_bound"], &counters["submits"]["accepted"]), (&1.into(), &1.into()));
    assert_eq!((&counters["messages"]["delivered"], &counters["inbox"]["messages"]), (&1.into(), &1.into()));
    assert_eq!(counters["receipts"]["sent"], 0);
}

#[tokio::test]
async fn messages_are_counted_for_each_handset_whoever_has_read_them() {
    let simulator = simulator(Config { inbox_messages_max: 3, ..Config::default() }).await;
    let web = simulator.web_addr();
    let counted = |numbers: &'static str| async move {
        let counters = get(web, &format!("/counters?handsets={numbers}")).await.json();
        let inbox = &counters["inbox"];
        (inbox["messages"].clone(), inbox["handsets"].clone(), counters["handsets"].clone())
    };
    let mut esme = Esme::bound(&simulator).await;
    for (sequence, number) in (2..).zip(["62833", "62811", "62822", "62811"]) {
        let destination = smpp::pdu::Address::international(number.as_bytes());
        esme.submit(sequence, SubmitSm { destination, ..text(b"x") }).await;
    }
    let counts = json!({"62811": 2, "62822": 1, "62833": 0});
    assert_eq!(counted("62811,%2B62822,62833").await, (3.into(), 2.into(), counts));
    let reply = r#"{"from":"62822","to":"BANK","text":"STOP"}"#;
    assert_eq!(write(web, "POST /messages", "application/json", reply).await.status, 201);
    assert_eq!(counted("62822").await, (3.into(), 2.into(), json!({"62822": 2})));
    simulator.inbox().clear();
    assert_eq!(counted("62811").await, (0.into(), 0.into(), json!({"62811": 0})));
    let many = vec!["62811"; 101].join(",");
    for wrong in ["handsets=", "handsets=62811,", "handsets=BANK", "to=62811", &format!("handsets={many}")] {
        assert_eq!(get(web, &format!("/counters?{wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_conversation_is_read_with_its_newest_messages() {
    let simulator = simulator(Config::default()).await;
    let mut esme = Esme::bound(&simulator).await;
    for (sequence, (number, content)) in
        (2..).zip([("62811", "1"), ("62822", "2"), ("62811", "3"), ("62811", "4")])
    {
        let destination = smpp::pdu::Address::international(number.as_bytes());
        esme.send(sequence, Body::SubmitSm(SubmitSm { destination, ..text(content.as_bytes()) })).await;
        assert!(esme.answer().await.0.is_ok());
    }
    let read = get(simulator.web_addr(), "/messages?with=62811&last=2").await.json();
    let texts: Vec<_> = read["messages"].as_array().unwrap().iter().map(|message| &message["text"]).collect();
    assert_eq!(texts, ["3", "4"]);
}

#[tokio::test]
async fn d9_what_a_handset_writes_is_delivered_and_listed() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    let post =
        |body: &'static str| async move { write(web, "POST /messages", "application/json", body).await };
    let stop = r#"{"from":"+628120001234","to":"BANK","text":"STOP"}"#;
    let alone = post(stop).await;
    assert_eq!(
        (alone.status, alone.json()["type"].as_str()),
        (409, Some("urn:smsc-simulator:problem:no-receiver"))
    );
    let mut esme = Esme::bound(&simulator).await;
    let created = post(stop).await;
    assert_eq!((created.status, &created.json()["direction"]), (201, &"from_handset".into()));
    let frame = esme.next().await;
    let Body::DeliverSm(deliver) = frame.pdu().body else { panic!("no deliver_sm") };
    assert!(!deliver.esm_class.is_receipt());
    assert_eq!((deliver.source.digits, deliver.destination.digits), (&b"628120001234"[..], &b"BANK"[..]));
    assert_eq!(deliver.short_message, b"STOP");
    let listed = get(web, "/messages?with=628120001234").await.json();
    assert_eq!(listed["messages"][0]["text"], "STOP");
    for (body, status) in [
        (r#"{"from":"BANK","to":"BANK","text":"x"}"#, 422),
        (r#"{"from":"1","to":"","text":"x"}"#, 422),
        (r#"{"from":"1","to":"2","text":"x","system_id":"nobody"}"#, 422),
        (r#"{"from":"1"}"#, 400),
    ] {
        assert_eq!(post(body).await.status, status, "{body}");
    }
}

#[tokio::test]
async fn a_behavior_of_many_mistakes_or_levels_is_refused_with_an_answer_of_bounded_length() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    let deep = format!("{{\"a\": {}{}}}", "[".repeat(60_000), "]".repeat(60_000));
    let unknown: Vec<String> = (0..10_000).map(|n| format!("\"k{n}\": 1")).collect();
    for json in [deep, format!("{{{}}}", unknown.join(","))] {
        let answer = write(web, "PUT /behavior", "application/json", &json).await;
        assert_eq!(answer.status, 422);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.len() < 64 * 1024, "{}", detail.len());
        assert!(json.contains("k1") == detail.ends_with("\nand 9900 more"), "{detail}");
    }
}
