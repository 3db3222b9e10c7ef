//! The OTP gateway.

pub mod clock;
pub mod metrics;
pub mod msisdn;
pub mod sms;
pub mod subscriber;
