//! What an SMS says: templates compiled at the start, texts that fit one segment and lack only the code.
//!
//! A template is text with fields in braces, and at most one part in brackets that is left out when
//! the text would be too long (the validity, as a rule):
//!
//! ```text
//! {bank}: code {code} to pay {amount} to {payee}[ until {validity}]. NEVER share it.
//! ```
//!
//! | field | is | in |
//! |---|---|---|
//! | `{bank}` `{host}` | the settings of these names | both |
//! | `{code}` | the code | both |
//! | `{reference}` | four characters that tell one SMS from another | both |
//! | `{validity}` | local time and time zone until which the code can be answered | both |
//! | `{amount}` | currency and amount, never cut | payment |
//! | `{payee}` | the beneficiary's name, cut to what fits, at least 10 characters | payment |
//! | `{account}` | the last four digits of the beneficiary's account | payment |
//!
//! A text is one segment: 160 septets of GSM 7-bit (3GPP TS 23.038), where a character of the extension
//! table counts twice. Where a text would be longer, first the part in brackets goes, then the payee is
//! cut and ends in two dots. Amount and code are whole in every text; templates with which this could
//! not be kept are refused at the start.

mod money;
mod rendering;
mod settings;
mod template;
mod text;

pub(crate) use rendering::Templates;
pub(crate) use text::Text;
pub(super) use text::{CODES_MAX, SEGMENT_SEPTETS};

#[cfg(test)]
mod tests;
