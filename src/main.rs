//! The OTP gateway.
fn main() {}
