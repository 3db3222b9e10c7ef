//! What handsets write: messages to an ESME, as deliver_sm to a session of it that receives.

use std::fmt;
use std::sync::Arc;

use smpp::pdu::{MessageState, Npi, SubmitSm, Ton};
use smpp::text::concatenation::Reference;
use smpp::text::{self, Segmentation};
use smpp::tlv::TlvBuffer;

use super::account::Account;
use super::delivery::{Delivery, FromHandset};
use super::party::Party;
use super::shared::Smsc;
use crate::behavior::IdForm;
use crate::clock::Moment;
use crate::inbox::{Address, Details, Direction, Draft, Message, ReceiptState};

/// Why a handset's message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandsetError {
    /// `from` is not a telephone number of 1 to 20 digits.
    From,
    /// `to` is not an address of 1 to 20 printable characters.
    To,
    /// The text needs more than 255 parts.
    TooLong,
    /// No ESME of the configuration has this system_id.
    UnknownSystemId,
    /// No session is bound that receives, or none has room.
    NoReceiver,
}

impl fmt::Display for HandsetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::From => "from must be a phone number of 1 to 20 digits.",
            Self::To => "to must be an address of 1 to 20 printable characters.",
            Self::TooLong => "text needs more than 255 segments.",
            Self::UnknownSystemId => "No ESME has this system_id.",
            Self::NoReceiver => {
                "No session is bound that receives: bind one as receiver or transceiver, and send it again."
            }
        })
    }
}

impl std::error::Error for HandsetError {}

/// What a handset wrote, understood.
struct Written {
    from: Party,
    to: Party,
    parts: Vec<FromHandset>,
    data_coding: u8,
}

impl Written {
    fn new(from: &str, to: &str, text: &str, reference: u8) -> Result<Self, HandsetError> {
        let number = Address::new(from.as_bytes()).filter(Address::is_number).ok_or(HandsetError::From)?;
        let from = Party::international(number);
        let address = Address::new(to.as_bytes()).ok_or(HandsetError::To)?;
        let (ton, npi) = kind_of(&address);
        let to = Party { ton, npi, address };
        let mut encoded = Vec::new();
        let alphabet = text::encode_into(text, &mut encoded);
        let segments = text::segment(alphabet, &encoded, Segmentation::Udh(Reference::Bits8(reference)))
            .map_err(|_| HandsetError::TooLong)?;
        let mut no_tlvs = TlvBuffer::new();
        let parts = segments.map(|segment| {
            let mut short_message = Vec::new();
            segment.write(&mut short_message, &mut no_tlvs);
            FromHandset {
                from,
                to,
                esm_class: segment.esm_class(),
                data_coding: alphabet.data_coding(),
                short_message: short_message.into_boxed_slice(),
                message: None,
            }
        });
        Ok(Self { from, to, parts: parts.collect(), data_coding: alphabet.data_coding().0 })
    }
}

/// Short codes have no country code; names are not numbers.
fn kind_of(address: &Address) -> (Ton, Npi) {
    /// Digits of the longest short code.
    const SHORT_CODE_MAX: usize = 8;
    match (address.is_number(), address.as_bytes().len()) {
        (false, _) => (Ton::ALPHANUMERIC, Npi::UNKNOWN),
        (true, ..=SHORT_CODE_MAX) => (Ton::NETWORK_SPECIFIC, Npi::UNKNOWN),
        (true, _) => (Ton::INTERNATIONAL, Npi::ISDN),
    }
}

impl Smsc {
    /// Sends `text` from a handset to the ESME called `system_id`, or to the first that has a session which
    /// receives.
    pub(crate) fn send_from_handset(
        &self,
        from: &str,
        to: &str,
        text: &str,
        system_id: Option<&str>,
        at: &Moment,
    ) -> Result<Arc<Message>, HandsetError> {
        let account = self.receiving(system_id)?;
        let id = self.next_id();
        let reference = u8::try_from(id.value() & 0xFF).unwrap_or_default();
        let Written { from, to, mut parts, data_coding } = Written::new(from, to, text, reference)?;
        let fields = SubmitSm { source: from.as_smpp(), destination: to.as_smpp(), ..SubmitSm::default() };
        let mut details = Details::of_submit(&fields, Arc::clone(&account.system_id), 0, IdForm::Hex);
        details.direction = Direction::FromHandset;
        let message = self.inbox.originate(Draft {
            id,
            time: at.wall,
            from: from.address,
            to: to.address,
            text: text.into(),
            segments: u8::try_from(parts.len()).unwrap_or(u8::MAX),
            data_coding,
            validity: None,
            receipt: ReceiptState::NotRequested,
            details,
            parts: Box::default(),
        });
        self.inbox.wake();
        if let Some(last) = parts.last_mut() {
            last.message = Some(Arc::clone(&message));
        }
        let deliveries = parts.into_iter().map(|part| Delivery::from_handset(at.now, part));
        if !account.receivers.deliver_together(deliveries) {
            // The last receiver left just now, or all are full.
            message.end(MessageState::UNDELIVERABLE, at.wall);
            return Err(HandsetError::NoReceiver);
        }
        self.metrics.from_handsets.inc();
        Ok(message)
    }

    fn receiving(&self, system_id: Option<&str>) -> Result<&Account, HandsetError> {
        let receives = |account: &&Arc<Account>| !account.receivers.is_empty();
        let mut accounts = self.accounts.iter();
        let account = match system_id {
            None => accounts.find(receives),
            Some(system_id) => accounts
                .find(|account| *account.system_id == *system_id)
                .map(Some)
                .ok_or(HandsetError::UnknownSystemId)?
                .filter(receives),
        };
        account.map(Arc::as_ref).ok_or(HandsetError::NoReceiver)
    }
}
