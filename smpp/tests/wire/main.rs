//! The codec as its users meet it: bytes written by hand from SMPP 3.4 and from what operators' SMSCs send,
//! hostile bytes, and a second implementation to agree with.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod any;
mod fixtures;
mod hostile;
mod quirks;
mod roundtrip;
mod rusmpp_agrees;
mod strict;
mod text;
