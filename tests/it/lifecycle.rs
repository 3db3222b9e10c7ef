//! Start, readiness, overload of one link, and stopping.

use std::time::Duration;

use gateway_sandbox::Configuration;
use otp_gateway::app::App;
use otp_gateway::clock::Clock;
use otp_gateway::config::Config;
use smsc_simulator::Behavior;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::client::{CORE_KEY, Client};
use crate::support::house::{House, MASTER_KEY, Plan, wait_until_ready};
use crate::support::payment::generate_body;
use crate::support::{blocking, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_gateway_sends_what_it_took_in_and_ends() {
    let mut house = House::new().await;
    let mut client = house.client().await;
    for user in 0..50 {
        assert_eq!(client.post("generate", &generate_body(user)).await.status.as_u16(), 201);
    }
    house.drain().await;
    let sent = (0..50).filter(|user| house.messages(*user).len() == 1).count();
    assert_eq!(sent, 50);
    assert_eq!(house.simulator.sessions_bound(), 0, "the link was unbound");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_link_generate_is_a_503_that_decides_nothing_and_verify_still_works() {
    let house = House::with_manual_clock().await;
    let mut client = house.client().await;
    let issued = house.issue(&mut client, 0).await;
    let simulator = house.simulator;
    simulator.stop().await;
    let app = house.app.expect("the gateway runs");
    let admin = app.admin_addr();
    wait_until_ready(admin, false).await;
    house.clock.advance(Duration::from_secs(5));
    let refused = client.post("generate", &generate_body(1)).await;
    assert_eq!((refused.status.as_u16(), refused.json()["reason"].as_str()), (503, Some("no_link")));
    assert!(refused.headers.contains_key("retry-after"));
    let readyz = Client::connect(admin).await.get("/readyz").await;
    assert_eq!(readyz.status.as_u16(), 200);
    assert_eq!(client.verdict(&issued.body()).await, "approved");
    blocking(move || app.drain()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_outbox_is_a_503_and_a_replay_needs_no_place_in_it() {
    // The first SMS is never answered and keeps its place.
    let behavior = Behavior::default().with_latency(Duration::from_secs(3600));
    let plan = Plan::default()
        .with_behavior(behavior)
        .with("outbox.items_max", 1)
        .with("smsc.window", 1)
        .with("shutdown.drain_timeout", "0s");
    let house = House::with(plan).await;
    let mut client = house.client().await;
    let mut statuses = Vec::new();
    for user in 0..50 {
        let reply = client.post_with_key("generate", &format!("key-{user}"), &generate_body(user)).await;
        statuses.push(reply.status.as_u16());
        if reply.status.as_u16() == 503 {
            assert_eq!(reply.json()["reason"], "outbox_full");
            break;
        }
    }
    assert_eq!(statuses.pop(), Some(503), "the outbox never filled");
    assert!(!statuses.is_empty() && statuses.iter().all(|status| *status == 201));
    let again = client.post_with_key("generate", "key-0", &generate_body(0)).await;
    assert!(again.replayed() && again.status.as_u16() == 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_out_of_bounds_are_refused_and_the_next_one_is_served() {
    let house = House::new().await;
    let mut client = house.client().await;
    let large = "x".repeat(1_000_000);
    let reply = client.send("POST", "/v1/otp/verify", &[], large).await;
    assert_eq!(reply.status.as_u16(), 413);
    let mut client = house.client().await;
    let deep = "[".repeat(8_000);
    assert_eq!(client.send("POST", "/v1/otp/verify", &[], deep).await.status.as_u16(), 400);
    let text = client.send("POST", "/v1/otp/verify", &[("content-type", "text/plain")], "{}").await;
    assert_eq!(text.status.as_u16(), 415);
    let long_head = "h".repeat(20_000);
    let mut other = house.client().await;
    let reply = other.send("GET", "/openapi.yaml", &[("x-long", &long_head)], "").await;
    assert_eq!(reply.status.as_u16(), 431);
    house.issue(&mut client, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_past_the_bound_are_closed_and_counted() {
    let house = House::with(Plan::default().with("api.connections_max", 2)).await;
    let mut first = house.client().await;
    let mut second = house.client().await;
    assert_eq!(first.get("/openapi.yaml").await.status.as_u16(), 200);
    assert_eq!(second.get("/openapi.yaml").await.status.as_u16(), 200);
    let mut third = TcpStream::connect(house.app().api_addr()).await.unwrap();
    let mut byte = [0];
    let read = third.read(&mut byte);
    assert!(matches!(within(read, "the third to be closed").await, Ok(0) | Err(_)));
    assert!(house.metrics().await.contains("otpgw_connections_refused_total 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_takes_nothing_loses_its_place() {
    let house = House::with(Plan::default().with("api.idle_timeout", "1s")).await;
    let mut stream = TcpStream::connect(house.app().api_addr()).await.unwrap();
    let head =
        format!("GET /openapi.yaml HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {CORE_KEY}\r\n\r\n");
    let request = head.repeat(1_000);
    // As far as it is taken: more replies than the sockets between hold.
    let _ = stream.try_write(request.as_bytes());
    stream.flush().await.unwrap();
    let taken = async { while !house.metrics().await.contains("otpgw_connections 1\n") {} };
    within(taken, "the connection to be taken").await;
    let given_up = async { while !house.metrics().await.contains("otpgw_connections 0\n") {} };
    within(given_up, "the connection to be given up").await;
    drop(stream);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named() {
    let house = House::new().await;
    let taken = house.app().api_addr();
    let configuration = house.configuration.clone().with("api.listen", taken);
    house.sandbox.write_configuration(&configuration).unwrap();
    let config = Config::load(&house.sandbox.configuration()).unwrap();
    let error = blocking(move || App::start(config, Clock::system())).await.unwrap_err().to_string();
    assert!(error.contains("api.listen") && error.contains(&taken.to_string()), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_answers_what_it_is_asked_and_nothing_else() {
    let house = House::new().await;
    let mut admin = Client::connect(house.app().admin_addr()).await;
    admin.key = None;
    for (path, status) in
        [("/livez", 200), ("/readyz", 200), ("/metrics", 200), ("/", 404), ("/v1/otp/verify", 404)]
    {
        assert_eq!(admin.get(path).await.status.as_u16(), status, "{path}");
    }
    assert_eq!(admin.send("DELETE", "/metrics", &[], "").await.status.as_u16(), 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_and_master_keys_that_are_read_again_count_at_once_and_with_a_mistake_none_does() {
    let mut house = House::new().await;
    let mut client = house.client().await;
    // A key of the same number with other bytes: the clients stay as they were, too.
    house.configuration = house.configuration.with_client("core-2", "core", "otpgw_second");
    house.sandbox.write_configuration(&house.configuration).expect("a file");
    assert!(house.reload_with_keys(&format!("1 {}\n", "77".repeat(32))).is_err());
    client.key = Some("otpgw_second");
    assert_eq!(client.post("generate", &generate_body(0)).await.status, 401);

    let both = format!("2 {}\n1 {}\n", "77".repeat(32), MASTER_KEY.repeat(32));
    house.reload_with_keys(&both).expect("a known key and a new one");
    assert_eq!(client.post("generate", &generate_body(0)).await.status, 201);
    client.key = Some(CORE_KEY);
    assert_eq!(client.post("generate", &generate_body(1)).await.status, 201);

    let alone = Configuration::new(house.simulator.smpp_addr(), "gateway");
    house.sandbox.write_configuration(&alone.with_client("core-2", "core", "otpgw_second")).expect("a file");
    house.reload().expect("the same keys");
    assert_eq!(client.post("generate", &generate_body(1)).await.status, 401, "it is no client any more");
    house.drain().await;
}
