//! What the document says of a resend after an SMS that failed: it is possible at once, whichever SMS it was, and only
//! once for each challenge.

use std::time::Duration;

use hyper::StatusCode;
use smsc_simulator::Behavior;

use crate::support::client::Client;
use crate::support::house::{House, Plan};
use crate::support::payment::{Issued, claim_body};
use crate::support::within;

#[tokio::test(flavor = "multi_thread")]
async fn after_an_sms_that_failed_one_resend_is_possible_at_once_whichever_sms_it_was() {
    // No traffic of the link's own while the clock moves.
    let plan = Plan::default().with_manual_clock().with("smsc.enquire_link_timer", "10m");
    let house = House::with(plan.with("challenge.resends", 4)).await;
    let mut client = house.client().await;
    let issued = house.issue(&mut client, 0).await;
    let claim = claim_body(0, &issued.challenge_id);
    wait_for(&mut client, &issued, "delivered").await;
    let fails = Behavior::from_toml("[receipts]\nstates = [\"UNDELIV\"]").expect("a behaviour");
    house.simulator.set_behavior(fails);
    house.clock.advance(Duration::from_secs(30));
    for expected in [StatusCode::ACCEPTED, StatusCode::ACCEPTED, StatusCode::TOO_MANY_REQUESTS] {
        let reply = client.post("resend", &claim).await;
        assert_eq!(reply.status, expected, "{}", reply.text());
        wait_for(&mut client, &issued, "undelivered").await;
    }
}

/// Waits until this is what became of the newest SMS.
async fn wait_for(client: &mut Client, issued: &Issued, delivery: &str) {
    let reported = async {
        while client.get(&issued.path()).await.json()["delivery"] != delivery {
            tokio::task::yield_now().await;
        }
    };
    within(reported, delivery).await;
}
