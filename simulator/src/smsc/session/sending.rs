//! What time brings: answers, deliveries, and whether the ESME is still there.

use std::time::Instant;

use smpp::frame::HEADER_BYTES;
use smpp::pdu::{Body, CommandId, SequenceNumber};
use smpp::status::CommandStatus;

use super::super::faults;
use super::state::{Answer, Liveness, Session, State};
use crate::behavior::{Disconnect, IdForm, Malformed, Response};
use crate::clock::Moment;

/// Sequence numbers that no ESME reaches are from here.
const UNUSED_SEQUENCE: u32 = 0x7F00_0000;

impl Session {
    /// Answers a submit, as its treatment says.
    pub(super) fn answer(&mut self, answer: &Answer, at: &Moment) {
        let settings = &answer.treatment.submit;
        let faults = &self.smsc.metrics.faults;
        if settings.disconnect == Disconnect::BeforeResponse {
            faults.disconnected.inc();
            return self.close();
        }
        match settings.response {
            Response::None => faults.unanswered.inc(),
            Response::Once => self.write_answer(answer, answer.sequence),
            Response::Twice => {
                faults.answered_twice.inc();
                self.write_answer(answer, answer.sequence);
                self.write_answer(answer, answer.sequence);
            }
            Response::UnknownSequence => {
                faults.unknown_sequence.inc();
                self.write_answer(answer, answer.sequence);
                self.write_answer(answer, SequenceNumber(UNUSED_SEQUENCE | answer.sequence.0 & 0xFFFF));
            }
            Response::GenericNack | Response::GenericNackZero => {
                faults.generic_nack.inc();
                let to_it = settings.response == Response::GenericNack;
                let sequence = if to_it { answer.sequence } else { SequenceNumber::NONE };
                self.reply(CommandStatus::ESME_RSYSERR, sequence, Body::GenericNack);
            }
        }
        if settings.disconnect == Disconnect::AfterResponse {
            self.smsc.metrics.faults.disconnected.inc();
            self.close_after_writing(at.now);
        }
    }

    /// Byte by byte, since behaviours ask for what no encoder writes.
    fn write_answer(&mut self, answer: &Answer, sequence: SequenceNumber) {
        let settings = &answer.treatment.submit;
        let status = if answer.id.is_some() { CommandStatus::ESME_ROK } else { settings.status.0 };
        let start = self.write_header(answer.command, status, sequence);
        let out = self.output.bytes();
        if let Some(id) = answer.id
            && settings.message_id != IdForm::Missing
        {
            id.write(settings.message_id, out);
            out.push(0);
        }
        faults::set_length(start, out);
        if settings.malformed != Malformed::No {
            self.smsc.metrics.faults.malformed.inc();
            faults::spoil(settings.malformed, start, self.sequence.take(), out);
        }
    }

    /// Appends a PDU that is a header without a body; returns where it starts.
    pub(super) fn write_header(
        &mut self,
        command: CommandId,
        status: CommandStatus,
        sequence: SequenceNumber,
    ) -> usize {
        const LENGTH: u32 = HEADER_BYTES as u32;
        let out = self.output.bytes();
        let start = out.len();
        for field in [LENGTH, command.0, status.0, sequence.0] {
            out.extend_from_slice(&field.to_be_bytes());
        }
        start
    }

    /// Sends the deliveries that are due, those of others included, as far as there is room.
    pub(super) fn deliver(&mut self, at: &Moment) {
        let State::Bound { bound, .. } = &self.state else {
            return;
        };
        if !bound.role.receives() {
            return;
        }
        let mut left = self.mailbox.take(self.deliveries.room());
        loop {
            left.into_iter().for_each(|delivery| self.deliveries.add(delivery));
            left = bound.account.receivers.take_held(self.deliveries.room());
            if left.is_empty() {
                break;
            }
        }
        if !self.output.is_full() {
            let full_at = self.output.full_at();
            self.deliveries.send(at, full_at, &mut self.sequence, self.output.bytes());
        }
    }

    pub(super) fn keep_alive(&mut self, now: Instant) {
        let config = &self.smsc.config;
        match self.state {
            State::Open { until }
            | State::Quiet { until, .. }
            | State::Unbinding { until, .. }
            | State::Closing { until } => {
                if until <= now {
                    self.close();
                }
            }
            State::Bound { .. } => match self.liveness {
                Liveness::Asked(at) if at + config.response_timeout <= now => {
                    tracing::info!("closing: the ESME does not answer enquire_link");
                    self.close();
                }
                Liveness::Heard(at) if at + config.enquire_link_interval <= now => {
                    self.request(Body::EnquireLink);
                    self.liveness = Liveness::Asked(now);
                }
                Liveness::Asked(_) | Liveness::Heard(_) => {}
            },
            State::Closed => {}
        }
    }
}
