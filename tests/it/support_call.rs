//! A customer calls: from a request's id and the reference in the SMS to what the gateway knows.

use serde_json::Value;

use crate::support::client::Client;
use crate::support::house::House;
use crate::support::payment::{generate_body, sms_reference_path};

async fn request_id(client: &mut Client, method: &str, path: &str, sent: Option<&str>) -> String {
    let headers: Vec<_> = sent.iter().map(|id| ("x-request-id", *id)).collect();
    let reply = client.send(method, path, &headers, generate_body(0).to_string()).await;
    reply.headers["x-request-id"].to_str().expect("text").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reply_names_its_request_as_the_caller_does_or_as_nobody_else() {
    let house = House::new().await;
    let mut client = house.client().await;
    for (method, path) in [("POST", "/v1/otp/generate"), ("GET", "/nothing"), ("POST", "/v1/otp/verify")] {
        assert_eq!(request_id(&mut client, method, path, Some("core-1:77")).await, "core-1:77", "{path}");
        let made = request_id(&mut client, method, path, None).await;
        assert_ne!(made, request_id(&mut client, method, path, None).await);
        assert_ne!(request_id(&mut client, method, path, Some("not a name")).await, "not a name");
    }
    client.key = None;
    assert_eq!(request_id(&mut client, "POST", "/v1/otp/generate", Some("stranger")).await, "stranger");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_found_by_the_reference_in_its_sms_and_only_among_its_subscriber_s() {
    let house = House::new().await;
    let mut client = house.client().await;
    let issued = house.issue(&mut client, 0).await;
    let seen = async |client: &mut Client, path: &str| {
        let mut json = client.get(path).await.json();
        json["delivery"].take();
        json
    };
    let by_id = seen(&mut client, &issued.path()).await;
    let reference = by_id["sms_reference"].as_str().expect("a reference").to_owned();
    assert_eq!(house.messages(0)[0].text().matches(&reference).count(), 1);
    for spelled in [reference.clone(), reference.to_lowercase()] {
        assert_eq!(seen(&mut client, &sms_reference_path(0, &spelled)).await, by_id);
    }
    for (user, nothing) in [(1, reference.as_str()), (0, "UUUU"), (0, ""), (0, &reference[1..])] {
        let nothing = sms_reference_path(user, nothing);
        assert_eq!(client.get(&nothing).await.problem(), "not-found", "{nothing}");
    }
    assert_eq!(by_id["challenge_id"], Value::from(issued.challenge_id));
}
