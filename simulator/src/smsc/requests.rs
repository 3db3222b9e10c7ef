//! query_sm, cancel_sm and replace_sm: about messages that were submitted.

use std::sync::Arc;
use std::time::SystemTime;

use smpp::pdu::{self, CancelSm, DataCoding, MessageState, QuerySm, ReplaceSm};
use smpp::status::CommandStatus;
use smpp::{text, time};

use super::account::Account;
use super::fields::validity;
use super::pending::Pending;
use super::report::Wanted;
use super::shared::Smsc;
use crate::behavior::Stat;
use crate::clock::Moment;
use crate::inbox::{Address, Message, MessageId};

/// The answer to a query_sm.
pub(super) struct Found {
    pub(super) state: MessageState,
    /// When that came about, if it is final.
    pub(super) final_date: Option<[u8; time::TIME_BYTES]>,
}

impl Smsc {
    pub(super) fn query(&self, query: &QuerySm<'_>, account: &Arc<Account>) -> Result<Found, CommandStatus> {
        let id = str::from_utf8(query.message_id).unwrap_or_default();
        let message = self.inbox.find(id).filter(|message| {
            message.details().system_id == account.system_id && is_from(message, &query.source)
        });
        let message = message.ok_or(CommandStatus::ESME_RQUERYFAIL)?;
        let final_date = message.done().map(|done| {
            let since_epoch = done.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            time::absolute(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
        });
        Ok(Found { state: message.state(), final_date })
    }

    /// Cancels the message with this id, or, without one, all from this sender to this handset, as far as
    /// they are on their way (SMPP 3.4, 4.9).
    pub(super) fn cancel(
        &self,
        cancel: &CancelSm<'_>,
        account: &Arc<Account>,
        at: &Moment,
    ) -> Result<(), CommandStatus> {
        let cancelled: Vec<Pending> = if cancel.message_id.is_empty() {
            let service_type = str::from_utf8(cancel.service_type).unwrap_or_default();
            self.pending.remove_all(account, |message| {
                is_from(message, &cancel.source)
                    && Address::new(cancel.destination.digits).is_some_and(|to| to == *message.to())
                    && (service_type.is_empty() || service_type == message.details().service_type())
            })
        } else {
            self.remove(cancel.message_id, &cancel.source, account).into_iter().collect()
        };
        for pending in &cancelled {
            self.end_as(pending, &[Stat::DELETED], at);
        }
        if cancelled.is_empty() { Err(CommandStatus::ESME_RCANCELFAIL) } else { Ok(()) }
    }

    /// Gives a message that is on its way, and is not a segment, another text, and another validity if there
    /// is one (SMPP 3.4, 4.10).
    pub(super) fn replace(
        &self,
        replace: &ReplaceSm<'_>,
        account: &Arc<Account>,
        at: &Moment,
    ) -> Result<(), CommandStatus> {
        let validity = validity(replace.validity_period, at.wall)?;
        let failed = CommandStatus::ESME_RREPLACEFAIL;
        let mut pending = self.remove(replace.message_id, &replace.source, account).ok_or(failed)?;
        if pending.segment.is_some() {
            self.pending.add(pending);
            return Err(failed);
        }
        let data_coding = DataCoding(pending.message.data_coding());
        let mut draft = pending.message.draft_with(text::decode(data_coding, replace.short_message));
        draft.details.replaced = true;
        draft.details.registered_delivery = replace.registered_delivery;
        if let Some(validity) = validity {
            draft.validity = Some(validity);
            pending.expires = at.instant_of(validity.expires_at);
        }
        pending.report.wanted = Wanted::by(replace.registered_delivery);
        pending.message = self.inbox.keep(draft);
        self.pending.add(pending);
        Ok(())
    }

    /// Takes out a message on its way by one of the forms of its id.
    fn remove(&self, id: &[u8], source: &pdu::Address<'_>, account: &Arc<Account>) -> Option<Pending> {
        let pending = MessageId::meant_by(id).find_map(|id| self.pending.remove(id, account))?;
        if is_from(&pending.message, source) {
            return Some(pending);
        }
        self.pending.add(pending);
        None
    }
}

/// Whether the sender is the one that is meant; an empty one means any.
fn is_from(message: &Message, source: &pdu::Address<'_>) -> bool {
    source.digits.is_empty() || Address::new(source.digits).is_some_and(|from| from == *message.from())
}
