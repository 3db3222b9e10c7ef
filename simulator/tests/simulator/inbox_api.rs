//! The inbox API over HTTP, and its exposure rules.

use smpp::pdu::{Address, Body, SubmitSm};
use smsc_simulator::{Config, Simulator};

use crate::esme::{Esme, bytes, simulator, text};
use crate::http::{exchange, get, read_until, send};
use crate::time::soon;

/// Sends texts to numbers and waits for the answers.
async fn deliver(simulator: &Simulator, messages: &[(&str, &str)]) {
    let mut esme = Esme::bound(simulator).await;
    for (number, content) in messages {
        let destination = Address::international(number.as_bytes());
        esme.send(2, Body::SubmitSm(SubmitSm { destination, ..text(content.as_bytes()) })).await;
        assert!(esme.answer().await.0.is_ok());
    }
}

fn texts(list: &serde_json::Value) -> Vec<&str> {
    let messages = list["messages"].as_array().unwrap();
    messages.iter().map(|message| message["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn messages_are_listed_filtered_and_read_on_from_a_cursor() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    deliver(&simulator, &[("62811", "one"), ("62822", "two"), ("62811", "three")]).await;
    let all = get(web, "/messages").await;
    assert_eq!((all.status, all.header("content-type")), (200, Some("application/json")));
    assert_eq!(texts(&all.json()), ["one", "two", "three"]);
    let filtered = get(web, "/messages?to=%2B62811").await.json();
    assert_eq!(texts(&filtered), ["one", "three"]);
    assert_eq!(filtered["messages"][0]["to"], "62811");
    let first = get(web, "/messages?limit=1").await.json();
    let cursor = first["cursor"].as_str().unwrap();
    let rest = get(web, &format!("/messages?since={cursor}")).await.json();
    assert_eq!(texts(&rest), ["two", "three"]);
    let last = get(web, "/messages?last=1").await.json();
    assert_eq!(texts(&last), ["three"]);
}

#[tokio::test]
async fn what_a_person_looks_for_is_found_in_text_sender_number_and_reference() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    let messages = [
        ("6281298765432", "kode 482913, ref BW1D"),
        ("6285700000001", "kode 111111, ref BW1E"),
        ("6285700000001", "081298765432 has called you"),
    ];
    deliver(&simulator, &messages).await;
    let found = |what: &'static str| async move { get(web, &format!("/messages?find={what}")).await.json() };
    let [first, second, third] = messages.map(|(_, text)| text);
    for (what, expected) in [
        ("%23bw1d", vec![first]),
        ("482913", vec![first]),
        ("081298765432", vec![first, third]),
        ("0812-9876%205432", vec![first]),
        ("%2B62%20812", vec![first]),
        ("0857", vec![second, third]),
        ("KODE", vec![first, second]),
        ("0813", vec![]),
    ] {
        assert_eq!(texts(&found(what).await), expected, "{what}");
    }
    assert_eq!(texts(&get(web, "/messages?find=BANK&last=1").await.json()), [third]);
    let cursor = found("kode").await["cursor"].as_str().unwrap().to_owned();
    deliver(&simulator, &[("62811", "no"), ("62811", "kode 3")]).await;
    let more = get(web, &format!("/messages?find=kode&since={cursor}")).await.json();
    assert_eq!(texts(&more), ["kode 3"]);
}

#[tokio::test]
async fn a_long_poll_waits_for_its_number() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    let poll = tokio::spawn(async move { get(web, "/messages?to=62811&wait=60s").await });
    deliver(&simulator, &[("62822", "not this one"), ("62811", "this one")]).await;
    assert_eq!(texts(&soon(poll).await.unwrap().json()), ["this one"]);
    let nothing = get(web, "/messages?to=62833&wait=1ms").await.json();
    assert!(texts(&nothing).is_empty());
}

#[tokio::test]
async fn a_stream_gives_what_is_there_and_what_comes() {
    let simulator = simulator(Config::default()).await;
    deliver(&simulator, &[("62811", "before")]).await;
    let web = simulator.web_addr();
    let mut stream = send(web, &format!("GET /messages/stream HTTP/1.1\nHost: {web}")).await;
    let mut seen = String::new();
    read_until(&mut stream, &mut seen, |seen| seen.contains("before")).await;
    assert!(seen.to_lowercase().contains("content-type: text/event-stream"));
    deliver(&simulator, &[("62811", "after")]).await;
    read_until(&mut stream, &mut seen, |seen| seen.contains("after")).await;
    let id = seen.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    let head = format!("GET /messages/stream HTTP/1.1\nHost: {web}\nLast-Event-ID: {id}");
    let mut again = String::new();
    let mut stream = send(web, &head).await;
    read_until(&mut stream, &mut again, |seen| seen.contains("after")).await;
    assert!(!again.contains("before"));
    simulator.inbox().clear();
    read_until(&mut stream, &mut again, |seen| seen.contains("event: cleared")).await;
}

#[tokio::test]
async fn a_stream_ends_when_the_simulator_stops() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    let reading =
        tokio::spawn(
            async move { exchange(web, &format!("GET /messages/stream HTTP/1.1\nHost: {web}")).await },
        );
    deliver(&simulator, &[("62811", "x")]).await;
    soon(simulator.stop()).await;
    // Either it was connected and has ended in order, or it never was.
    if let Ok(reply) = soon(reading).await {
        assert_eq!(reply.status, 200);
    }
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_told_and_nothing_waits_for_it() {
    const COUNT: u64 = 20_000;
    let simulator = simulator(Config { inbox_messages_max: 50, ..Config::default() }).await;
    let web = simulator.web_addr();
    let mut stream = send(web, &format!("GET /messages/stream HTTP/1.1\nHost: {web}")).await;
    let mut seen = String::new();
    read_until(&mut stream, &mut seen, |seen| seen.contains("connected")).await;
    let mut esme = Esme::bound(&simulator).await;
    let submit = bytes(2, Body::SubmitSm(text(&[b'x'; 160])));
    for _ in 0..COUNT / 100 {
        esme.send_bytes(&submit.repeat(100)).await;
        for _ in 0..100 {
            assert!(esme.answer().await.0.is_ok());
        }
    }
    let total = |seen: &str| {
        let received = seen.matches("\ndata: {\"id\"").count() as u64;
        let lost = seen.lines().filter_map(|line| line.strip_prefix("data: {\"lost\":"));
        received + lost.map(|rest| rest.trim_end_matches('}').parse::<u64>().unwrap()).sum::<u64>()
    };
    read_until(&mut stream, &mut seen, |seen| seen.ends_with("\r\n") && total(seen) == COUNT).await;
    assert!(seen.contains("event: lost"));
}

#[tokio::test]
async fn deleting_empties_the_inbox_for_our_own_page_alone() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    deliver(&simulator, &[("62811", "one")]).await;
    let delete = |headers: &str| {
        let head = format!("DELETE /messages HTTP/1.1\nHost: {web}\n{headers}");
        async move { exchange(web, &head).await }
    };
    let json = "Content-Type: application/json";
    assert_eq!(delete("Content-Type: text/plain").await.status, 415);
    assert_eq!(delete("Accept: */*").await.status, 415);
    assert_eq!(delete(&format!("{json}\nOrigin: http://evil.example")).await.status, 403);
    assert_eq!(delete(&format!("{json}\nContent-Length: 2000")).await.status, 413);
    assert_eq!(simulator.inbox().counts().messages, 1);
    let done = delete(&format!("{json}\nOrigin: http://{web}")).await;
    assert_eq!((done.status, texts(&done.json()).len()), (200, 0));
    assert_eq!(simulator.inbox().counts().messages, 0);
}

#[tokio::test]
async fn another_sites_name_for_this_address_is_refused() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    deliver(&simulator, &[("62811", "kode 482913")]).await;
    let rebound = format!("rebound.example:{}", web.port());
    for target in ["/", "/messages", "/messages/stream", "/metrics", "/page.js"] {
        for host in [rebound.as_str(), "rebound.example", "127.0.0.1:1"] {
            let reply = exchange(web, &format!("GET {target} HTTP/1.1\nHost: {host}")).await;
            assert_eq!(reply.status, 421, "{target} as {host}");
            assert!(!reply.body.contains("482913"));
        }
    }
    assert_eq!(get(web, "/messages").await.status, 200);
}

#[tokio::test]
async fn every_reply_is_protected_and_none_opens_to_other_origins() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    for target in ["/", "/page.css", "/page.js", "/messages", "/metrics", "/nowhere", "/messages?x=1"] {
        let head = format!("GET {target} HTTP/1.1\nHost: {web}\nOrigin: http://evil.example");
        let reply = exchange(web, &head).await;
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'self'"), "{target}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{target}");
        assert!(!reply.head.to_lowercase().contains("access-control-"), "{target}");
    }
    let preflight = format!("OPTIONS /messages HTTP/1.1\nHost: {web}\nOrigin: http://evil.example");
    let reply = exchange(web, &preflight).await;
    assert!(reply.status >= 400 && !reply.head.to_lowercase().contains("access-control-"));
}

#[tokio::test]
async fn the_page_and_all_it_asks_for_are_served() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    let page = get(web, "/").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let mut files: Vec<String> = Vec::new();
    let mut found: Vec<String> = page
        .body
        .split('"')
        .filter(|part| part.starts_with('/') && !part.contains('>'))
        .map(str::to_owned)
        .collect();
    // The scripts name further ones.
    while let Some(file) = found.pop() {
        if !files.contains(&file) {
            let body = get(web, &file).await.body;
            found.extend(
                body.split('"').filter_map(|part| part.strip_prefix("./")).map(|name| format!("/{name}")),
            );
            files.push(file);
        }
    }
    assert!(files.iter().filter(|file| file.ends_with(".js")).count() > 5, "{files:?}");
    for file in &files {
        let reply = get(web, file).await;
        assert_eq!(reply.status, 200, "{file}");
        for away in ["http://", "https://", "innerHTML", "<style", " style="] {
            let allowed = reply.body.replace("http://www.w3.org/2000/svg", "");
            assert!(!allowed.contains(away), "{away} in {file}");
        }
    }
    let about = get(web, "/about").await;
    assert_eq!(about.json()["smpp"], simulator.smpp_addr().to_string());
    assert!(!about.body.contains("secret08"), "{}", about.body);
}

#[tokio::test]
async fn refusals_are_problem_details() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    for (target, status) in [
        ("/nowhere", 404),
        ("/messages?to=abc", 400),
        ("/messages?wait=2h", 400),
        ("/messages/stream?limit=1", 400),
        ("/messages/stream?since=zzz", 400),
    ] {
        let reply = get(web, target).await;
        assert_eq!((reply.status, &reply.json()["status"]), (status, &status.into()), "{target}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    }
    let put = format!("PUT /messages HTTP/1.1\nHost: {web}\nContent-Type: application/json");
    let reply = exchange(web, &put).await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET,HEAD,POST,DELETE")));
}

#[tokio::test]
async fn with_a_token_the_inbox_asks_for_it_and_the_page_is_still_served() {
    let config = Config { token: Some("lab-token".to_owned()), ..Config::default() };
    let simulator = simulator(config).await;
    let web = simulator.web_addr();
    assert_eq!(get(web, "/").await.status, 200);
    for target in ["/messages", "/messages/stream", "/metrics"] {
        let refused = get(web, target).await;
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")));
    }
    let head = format!("GET /messages HTTP/1.1\nHost: {web}\nAuthorization: Bearer lab-token");
    assert_eq!(exchange(web, &head).await.status, 200);
}

#[tokio::test]
async fn an_address_that_others_reach_needs_a_token() {
    let web_listen = "0.0.0.0:0".parse().unwrap();
    let open = Config { web_listen, ..Config::default() };
    assert!(Simulator::start(open.clone()).await.is_err());
    let token = Some("lab-token".to_owned());
    let simulator = simulator(Config { token, ..open }).await;
    simulator.stop().await;
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    let long = format!("GET / HTTP/1.1\nHost: {web}\nX-Long: {}", "x".repeat(40_000));
    assert_eq!(exchange(web, &long).await.status, 431);
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let simulator = simulator(Config::default()).await;
    let web = simulator.web_addr();
    deliver(&simulator, &[("62811", "one"), ("62822", "two")]).await;
    let metrics = get(web, "/metrics").await.body;
    for line in [
        "smscsim_submits_total{result=\"accepted\"} 2",
        "smscsim_messages_delivered_total 2",
        "smscsim_binds_total{result=\"accepted\"} 1",
    ] {
        assert!(metrics.lines().any(|shown| shown == line), "{line} in\n{metrics}");
    }
}
