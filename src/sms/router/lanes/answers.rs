//! What the SMSC's answers, or their lack, say of links, destinations and SMSCs, and what becomes of the message.

use super::{Again, Lanes, LinkIndex};
use crate::clock::Timestamp;
use crate::sms::destination::{Prefix, Recipient};
use crate::sms::outbox::Outgoing;
use crate::sms::router::destinations::Trouble;
use crate::sms::router::retries::Verdict;
use crate::sms::router::smsc::Smsc;

impl Lanes {
    /// A message that a link had was refused for now. Returns where it may go, if it is to be tried again.
    pub(in crate::sms::router) fn refused(
        &mut self,
        index: LinkIndex,
        outgoing: &Outgoing,
        trouble: Trouble,
        now: Timestamp,
    ) -> Option<Again> {
        let recipient = outgoing.recipient();
        let smsc = &mut self.smscs[index.smsc];
        let known = smsc.destinations.is_known(recipient) || !smsc.refusals.is_closed_for(recipient.prefix);
        self.answered(index, outgoing, now);
        let smsc = &mut self.smscs[index.smsc];
        smsc.destinations.heard(recipient);
        smsc.circuit.answered(now);
        smsc.circuit.unsent();
        // A full queue says nothing of how fast we are.
        let Smsc { spread, refusals, destinations, .. } = smsc;
        let works_elsewhere = || refusals.works_untroubled(now);
        let has_worked = refusals.has_worked(recipient.prefix);
        if trouble != Trouble::Full && spread.refused(recipient.prefix, has_worked, works_elsewhere, now) {
            destinations.forgive(now);
        }
        destinations.set_spread(spread.spreads());
        destinations.troubled(recipient, trouble, now);
        self.count_refusal(index.smsc, recipient, now);
        let verdict = Verdict::of(outgoing, known, now);
        let other = || self.choose_other(outgoing.route().smscs(), index.smsc, recipient, now);
        let other = if verdict.elsewhere { other() } else { None };
        match other {
            // One that has been tried everywhere is tried nowhere any more.
            Some(smsc) if !verdict.over || verdict.tries.here == verdict.tries.count => {
                Some(Again::Elsewhere { smsc, verdict })
            }
            Some(_) | None => (!verdict.over).then_some(Again::Here(verdict)),
        }
    }

    /// Has an SMS tried again that was [refused](Self::refused) for now.
    pub(in crate::sms::router) fn try_again(
        &mut self,
        index: LinkIndex,
        again: Again,
        mut outgoing: Outgoing,
        now: Timestamp,
    ) {
        match again {
            Again::Here(verdict) => {
                outgoing.tries = verdict.tries;
                self.smscs[index.smsc].retries.push(outgoing, verdict.due);
            }
            Again::Elsewhere { smsc, verdict } => {
                outgoing.tries = verdict.tries;
                self.move_to(smsc, outgoing, now);
            }
        }
    }

    /// The SMSC did not take a message now. If it refuses most, others are preferred.
    fn count_refusal(&mut self, index: usize, recipient: Recipient, now: Timestamp) {
        let smsc = &mut self.smscs[index];
        let was_closed = smsc.refusals.is_closed();
        if smsc.refusals.failed(recipient.prefix, now, now) && was_closed {
            smsc.metrics.refusing_began.inc();
            smsc.metrics.refusing.set(1);
            let name = &smsc.metrics.name;
            tracing::warn!(smsc = name, "the SMSC refuses most messages for now: others are preferred to it");
            self.clear_lane(index, now);
        }
    }

    /// A link has an answer to a message, whatever it is.
    fn answered(&mut self, index: LinkIndex, outgoing: &Outgoing, now: Timestamp) {
        let recipient = outgoing.recipient();
        let Smsc { destinations, links, .. } = &mut self.smscs[index.smsc];
        links[index.link].held.answered(recipient.prefix, outgoing.taken_at, now);
        destinations.released(recipient, now);
    }

    /// The SMSC took a message.
    pub(in crate::sms::router) fn accepted(&mut self, index: LinkIndex, outgoing: &Outgoing, now: Timestamp) {
        let recipient = outgoing.recipient();
        let smsc = &mut self.smscs[index.smsc];
        smsc.links[index.link].held.accepted(recipient.prefix, outgoing.taken_at, now);
        let Smsc { spread, refusals, destinations, .. } = smsc;
        spread.accepted(recipient.prefix, || refusals.works_untroubled(now), now);
        destinations.set_spread(spread.spreads());
        destinations.accepted(recipient, now);
        if smsc.refusals.succeeded(recipient.prefix, now) && smsc.refusals.is_closed() {
            smsc.metrics.refusing.set(0);
            tracing::info!(smsc = smsc.metrics.name, "the SMSC takes messages again");
        }
        self.dealt_with(index, outgoing, now);
    }

    /// The SMSC dealt with a message: it took it, or refused it for what it was.
    pub(in crate::sms::router) fn dealt_with(
        &mut self,
        index: LinkIndex,
        outgoing: &Outgoing,
        now: Timestamp,
    ) {
        let recipient = outgoing.recipient();
        self.answered(index, outgoing, now);
        let smsc = &mut self.smscs[index.smsc];
        smsc.destinations.heard(recipient);
        // Only if nothing came of a probe of its own.
        smsc.refusals.unsent();
        if smsc.circuit.succeeded(recipient.prefix, now) {
            if smsc.circuit.is_closed() {
                tracing::info!(smsc = smsc.metrics.name, "the SMSC is well again");
            }
            self.smscs[index.smsc].destinations.look_again(now);
            self.unpark(now);
            self.publish(now);
        }
    }

    /// The SMSC answered a message with an error of its own.
    pub(in crate::sms::router) fn failed(&mut self, index: LinkIndex, outgoing: &Outgoing, now: Timestamp) {
        let recipient = outgoing.recipient();
        self.answered(index, outgoing, now);
        let smsc = &mut self.smscs[index.smsc];
        smsc.refusals.unsent();
        smsc.destinations.heard(recipient);
        smsc.destinations.troubled(recipient, Trouble::Error, now);
        let opened = smsc.circuit.failed(recipient.prefix, outgoing.taken_at, now);
        self.after_failure(index.smsc, opened, now);
    }

    /// The SMSC did not answer a message in time that it had at `since`.
    pub(in crate::sms::router) fn unanswered(
        &mut self,
        index: LinkIndex,
        outgoing: &Outgoing,
        since: Timestamp,
        now: Timestamp,
    ) {
        let recipient = outgoing.recipient();
        let Smsc { destinations, links, refusals, .. } = &mut self.smscs[index.smsc];
        let held = &mut links[index.link].held;
        let of_prefix = !held.heard_since(recipient.prefix, outgoing.taken_at);
        held.unanswered(recipient.prefix, outgoing.taken_at);
        destinations.troubled(recipient, Trouble::Silence { of_prefix }, now);
        refusals.unsent();
        let opened = self.smscs[index.smsc].circuit.unanswered(recipient.prefix, since, now);
        self.after_failure(index.smsc, opened, now);
    }

    /// A link was lost with messages on it that were not answered: they are one failure together. The last was for
    /// this prefix, and the SMSC had it at `since`.
    pub(in crate::sms::router) fn lost(
        &mut self,
        smsc: usize,
        prefix: Prefix,
        since: Timestamp,
        now: Timestamp,
    ) {
        let opened = self.smscs[smsc].circuit.unanswered(prefix, since, now);
        self.after_failure(smsc, opened, now);
    }

    fn after_failure(&mut self, index: usize, opened: bool, now: Timestamp) {
        let smsc = &self.smscs[index];
        if opened {
            smsc.metrics.circuit_opened.inc();
            let (name, destinations) = (&smsc.metrics.name, smsc.circuit.failing());
            if smsc.circuit.is_closed_for_others() {
                tracing::error!(
                    smsc = name,
                    ?destinations,
                    "all that there is to send fails: little or nothing is sent to these destinations for a while"
                );
            } else {
                tracing::error!(
                    smsc = name,
                    ?destinations,
                    "the SMSC fails: little or nothing is sent to it for a while"
                );
            }
            self.clear_lane(index, now);
            self.publish(now);
        }
    }

    /// A message that a link was to send was not sent after all.
    pub(in crate::sms::router) fn unsent(&mut self, index: LinkIndex, outgoing: &Outgoing, now: Timestamp) {
        let recipient = outgoing.recipient();
        let Smsc { destinations, links, circuit, refusals, .. } = &mut self.smscs[index.smsc];
        links[index.link].held.released(recipient.prefix, outgoing.taken_at);
        destinations.released(recipient, now);
        refusals.unsent();
        if circuit.unsent() {
            self.unpark(now);
        }
    }
}
