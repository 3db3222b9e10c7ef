//! What the document says of a verify whose reply was lost: how long its approval can be asked for again, and that
//! afterwards `unknown_challenge` says nothing of it.

use std::time::Duration;

use crate::support::house::House;
use crate::support::payment::Issued;

const APPROVED: &str = "approved";
const UNKNOWN: &str = "unknown_challenge";

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_whose_reply_was_lost_can_be_asked_for_during_ten_minutes() {
    let house = House::with_manual_clock().await;
    let issued = house.issue(&mut house.client().await, 0).await;
    assert_eq!(verdict_with_key(&house, &issued).await, APPROVED);
    house.clock.advance(Duration::from_secs(10 * 60));
    assert_eq!(verdict_with_key(&house, &issued).await, APPROVED);
    house.clock.advance(Duration::from_millis(1));
    assert_eq!(verdict_with_key(&house, &issued).await, UNKNOWN);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_what_a_lost_reply_said() {
    let mut house = House::new().await;
    let issued = house.issue(&mut house.client().await, 0).await;
    assert_eq!(verdict_with_key(&house, &issued).await, APPROVED);
    house.drain().await;
    house.start().await;
    assert_eq!(verdict_with_key(&house, &issued).await, UNKNOWN);
}

/// Each time over a connection of its own, as a client does whose last one broke.
async fn verdict_with_key(house: &House, issued: &Issued) -> String {
    let reply = house.client().await.post_with_key("verify", "pay-123", &issued.body()).await;
    reply.json()["verdict"].as_str().expect("a verdict").to_owned()
}
