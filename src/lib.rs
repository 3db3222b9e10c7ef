//! The OTP gateway.
