//! SMPP 3.4 as operators use it: frames, PDUs, message text and delivery receipts.
//!
//! The crate knows only bytes: no sockets, no clocks, no sessions. Bytes become borrowed values and values
//! become bytes:
//!
//! ```text
//! socket ─► frame::cut ─► codec::decode ─► pdu::Pdu ─► (session)
//! socket ◄─ bytes ◄────── codec::encode ◄─ pdu::Pdu ◄─ (session)
//! ```
//!
//! What always holds:
//!
//! - A PDU is cut out of the stream by its `command_length` before anything in it is read, so no content of
//!   one PDU can lose the next.
//! - Decoding allocates nothing, never panics, and accepts the oddities that operators' SMSCs are known for,
//!   naming each one ([`codec::Anomalies`]).
//! - Encoding is strict: what leaves is SMPP 3.4, or an error with the buffer as it was.
//! - Wire codes are newtypes over their number, so unknown values survive a round trip.
//! - `Debug` of anything that carries a password, message text or a phone number masks it.
//!
//! ```
//! use smpp::pdu::{Body, Pdu, SequenceNumber};
//!
//! let mut stream = Vec::new();
//! smpp::codec::encode(&Pdu::new(SequenceNumber::FIRST, Body::EnquireLink), &mut stream)?;
//! let frame = smpp::frame::cut(&stream, smpp::frame::COMMAND_LENGTH_MAX)?.expect("a whole PDU");
//! let decoded = smpp::codec::decode(frame)?;
//! assert_eq!(decoded.pdu.body, Body::EnquireLink);
//! assert!(decoded.anomalies.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod codec;
pub mod frame;
pub mod pdu;
pub mod receipt;
pub mod status;
pub mod text;
pub mod time;
pub mod tlv;
