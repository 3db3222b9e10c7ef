//! Between frames and PDUs: [`decode`] is tolerant, [`encode`] is strict.
//!
//! Operators' SMSCs break SMPP 3.4 in well-known ways. Where what was meant is clear, the PDU is accepted and
//! the deviation reported ([`Anomaly`]), so that it can be counted and shown to the operator. Where it is
//! not, a request gets an error response ([`DecodeError::reply`]) and the link stays up, since framing does
//! not depend on a PDU's content.

mod anomaly;
mod decode;
mod encode;
mod field;

pub use anomaly::{Anomalies, Anomaly};
pub use decode::{DecodeError, DecodeErrorKind, Decoded, decode};
pub use encode::{EncodeError, MESSAGE_BYTES_MAX, encode};
pub use field::Field;
