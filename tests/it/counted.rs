//! What operators see counted of what happened.

use std::time::Duration;

use smsc_simulator::Behavior;

use crate::support::house::{House, Plan};
use crate::support::payment::{SUBSCRIBERS, claim_body, generate_body};
use crate::support::within;

/// Waits until all these series are in a scrape.
async fn counted(house: &House, series: &[&str]) {
    let all = async {
        loop {
            let metrics = house.metrics().await;
            if series.iter().all(|series| metrics.contains(&format!("{series}\n"))) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    within(all, &format!("{series:?}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_locks_resends_and_deliveries_are_counted_once_each() {
    let house = House::with_manual_clock().await;
    let mut client = house.client().await;
    client.post("generate", &generate_body(SUBSCRIBERS - 1)).await;
    let issued = house.issue(&mut client, 0).await;
    counted(&house, &["otpgw_sms_deliveries_total{outcome=\"delivered\",smsc=\"main\"} 1"]).await;
    house.clock.advance(Duration::from_secs(31));
    client.post("resend", &claim_body(0, &issued.challenge_id)).await;
    counted(&house, &["otpgw_sms_deliveries_total{outcome=\"delivered\",smsc=\"main\"} 2"]).await;
    for _ in 0..2 {
        let issued = house.issue(&mut client, 1).await;
        for _ in 0..3 {
            client.post("verify", &issued.wrong_body()).await;
        }
    }
    client.post("generate", &generate_body(1)).await;
    let expected = [
        "otpgw_generate_refusals_total{reason=\"not_on_sms_otp\"} 1",
        "otpgw_generate_refusals_total{reason=\"locked\"} 1",
        "otpgw_generate_refusals_total{reason=\"no_link\"} 0",
        "otpgw_resends_total 1",
        "otpgw_locks_total{kind=\"timed\"} 1",
        "otpgw_locks_total{kind=\"disabled\"} 0",
        "otpgw_challenges_issued_total 3",
        "otpgw_sms_submits_written_total{smsc=\"main\"} 4",
        "otpgw_sms_submits_total{outcome=\"accepted\",smsc=\"main\"} 4",
        "otpgw_sms_deliveries_total{outcome=\"delivered\",smsc=\"main\"} 4",
        "otpgw_sms_submit_duration_seconds_count{smsc=\"main\"} 4",
    ];
    counted(&house, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_receipts_report_is_counted_whether_they_come_early_or_say_that_it_failed() {
    for (behavior, outcome) in [
        (include_str!("../../simulator/profiles/early-receipts.toml"), "delivered"),
        ("[receipts]\nstates = [\"UNDELIV\"]\n", "undelivered"),
    ] {
        let behavior = Behavior::from_toml(behavior).expect("a behaviour");
        let house = House::with(Plan::default().with_behavior(behavior)).await;
        house.client().await.post("generate", &generate_body(0)).await;
        let expected = format!("otpgw_sms_deliveries_total{{outcome=\"{outcome}\",smsc=\"main\"}} 1");
        counted(&house, &[&expected]).await;
    }
}
