//! A sender or a handset, as a PDU names it.

use smpp::pdu::{self, Npi, Ton};

use crate::inbox::Address;

#[derive(Clone, Copy)]
pub(super) struct Party {
    pub(super) ton: Ton,
    pub(super) npi: Npi,
    pub(super) address: Address,
}

impl Party {
    pub(super) const fn international(address: Address) -> Self {
        Self { ton: Ton::INTERNATIONAL, npi: Npi::ISDN, address }
    }

    pub(super) fn as_smpp(&self) -> pdu::Address<'_> {
        pdu::Address { ton: self.ton, npi: self.npi, digits: self.address.as_bytes() }
    }
}
