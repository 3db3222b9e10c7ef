//! The states of a session, and why it ends.

use std::fmt;
use std::io;
use std::time::Duration;

use smpp::frame::FrameError;
use smpp::pdu::SequenceNumber;
use smpp::status::CommandStatus;

use crate::clock::Timestamp;
use crate::sms::link::tls::TlsError;

/// Where a session stands.
///
/// ```text
///            bind response 0            shutting down
///  Binding ──────────────────► Bound ───────────────────► Draining
///     │                          │                            │ all sent and answered,
///     │                          │ unbind                     │ or its time is up
///     │                          ▼              unbind        ▼
///     │                       Leaving ◄──────────────────  Unbinding
///     │ refused, or              │ all answered,              │ unbind_resp,
///     │ no answer                │ or too late                │ or too late
///     └────────────────────────► Over ◄───────────────────────┘
///                                  ▲
///        broken frame, silence in spite of enquire_link, a peer that does not read: from every state
/// ```
///
/// Shutting down while binding, it binds first if anything is queued, and is then Draining at once.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// The bind waits for its response. `shutdown`: until when draining may last, once shutting down.
    Binding {
        sequence: SequenceNumber,
        until: Timestamp,
        shutdown: Option<Timestamp>,
    },
    Bound,
    /// We send what is queued, before we unbind.
    Draining {
        until: Timestamp,
    },
    /// Our unbind waits for its response.
    Unbinding {
        until: Timestamp,
    },
    /// The SMSC has unbound; what it has got may still be answered.
    Leaving {
        until: Timestamp,
    },
    Over(End),
}

/// What is left to be done on a session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// Items that are queued, may still come, or wait to be tried again.
    pub(super) queued: bool,
    pub(super) unanswered_submits: bool,
    pub(super) pending_bytes: bool,
}

impl State {
    /// Whether the SMSC has accepted the bind, and neither side has ended the session.
    pub(super) fn is_bound(&self) -> bool {
        matches!(self, Self::Bound | Self::Draining { .. })
    }

    pub(super) fn is_binding(&self) -> bool {
        matches!(self, Self::Binding { .. })
    }

    /// Whether it ends once nothing is queued any more.
    pub(super) fn is_draining(&self) -> bool {
        matches!(self, Self::Binding { shutdown: Some(_), .. } | Self::Draining { .. })
    }

    pub(super) fn over(&self) -> Option<End> {
        if let Self::Over(end) = self { Some(*end) } else { None }
    }

    /// When [`Self::advance`] has something to do at the latest.
    pub(super) fn due(&self) -> Option<Timestamp> {
        match *self {
            Self::Binding { until, shutdown, .. } => Some(shutdown.map_or(until, |at| at.min(until))),
            Self::Draining { until } | Self::Unbinding { until } | Self::Leaving { until } => Some(until),
            Self::Bound | Self::Over(_) => None,
        }
    }

    /// Goes on to the next state, if it is time or what was to be done is done. Returns whether an unbind is
    /// to be sent.
    pub(super) fn advance(&mut self, left: Left, response_timer: Duration, now: Timestamp) -> bool {
        let next = match *self {
            Self::Binding { until, shutdown, .. } => binding(until, shutdown, left, now),
            Self::Draining { until } => draining(until, left, response_timer, now),
            Self::Unbinding { until } => (now >= until).then_some(Self::Over(End::ShutDown)),
            Self::Leaving { until } => leaving(until, left, now),
            Self::Bound | Self::Over(_) => None,
        };
        let Some(next) = next else { return false };
        *self = next;
        matches!(next, Self::Unbinding { .. })
    }

    /// The SMSC accepts a request, or refuses it with a status. Returns whether it was our bind.
    pub(super) fn on_bind_answer(
        &mut self,
        answered: SequenceNumber,
        result: Result<(), CommandStatus>,
    ) -> bool {
        let Self::Binding { sequence, shutdown, .. } = *self else { return false };
        if sequence != answered {
            return false;
        }
        *self = match (result, shutdown) {
            (Err(status), _) => Self::Over(End::Refused(status)),
            (Ok(()), Some(until)) => Self::Draining { until },
            (Ok(()), None) => Self::Bound,
        };
        true
    }

    /// The SMSC unbinds; answers may come until `until`.
    pub(super) fn on_unbind(&mut self, until: Timestamp) {
        match self {
            Self::Binding { .. } | Self::Bound | Self::Draining { .. } | Self::Leaving { .. } => {
                *self = Self::Leaving { until };
            }
            Self::Unbinding { .. } | Self::Over(_) => {}
        }
    }

    /// Returns whether it was the answer to our unbind.
    pub(super) fn on_unbind_resp(&mut self) -> bool {
        let is_answer = matches!(self, Self::Unbinding { .. });
        if is_answer {
            *self = Self::Over(End::ShutDown);
        }
        is_answer
    }

    /// What is queued may be sent until `until`.
    pub(super) fn shut_down(&mut self, until: Timestamp) {
        match self {
            Self::Binding { shutdown, .. } => *shutdown = Some(until),
            Self::Bound => *self = Self::Draining { until },
            Self::Draining { .. } | Self::Unbinding { .. } | Self::Leaving { .. } | Self::Over(_) => {}
        }
    }

    /// The connection is of no more use.
    pub(super) fn lost(&mut self, end: End) {
        *self = Self::Over(match *self {
            // What we waited for was the end.
            Self::Unbinding { .. } => End::ShutDown,
            Self::Leaving { .. } => End::Unbound,
            Self::Over(first) => first,
            Self::Binding { .. } | Self::Bound | Self::Draining { .. } => end,
        });
    }
}

fn binding(until: Timestamp, shutdown: Option<Timestamp>, left: Left, now: Timestamp) -> Option<State> {
    if now >= until {
        return Some(State::Over(End::BindTimeout));
    }
    let drained = shutdown.is_some_and(|until| now >= until || !left.queued);
    drained.then_some(State::Over(End::ShutDown))
}

fn draining(until: Timestamp, left: Left, response_timer: Duration, now: Timestamp) -> Option<State> {
    let drained = now >= until || !(left.queued || left.unanswered_submits);
    drained.then(|| State::Unbinding { until: now.plus(response_timer) })
}

fn leaving(until: Timestamp, left: Left, now: Timestamp) -> Option<State> {
    let settled = now >= until || !(left.unanswered_submits || left.pending_bytes);
    settled.then_some(State::Over(End::Unbound))
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sms::link) enum End {
    /// The gateway is shutting down, and we unbound.
    ShutDown,
    /// The SMSC unbound.
    Unbound,
    /// The SMSC refused the bind.
    Refused(CommandStatus),
    /// The SMSC did not answer the bind.
    BindTimeout,
    /// Nothing came back, not even to an enquire_link.
    Silent,
    /// The SMSC did not read.
    Stalled,
    /// The stream cannot be cut into PDUs any more.
    Frame(FrameError),
    /// The SMSC closed the connection.
    Closed,
    /// Reading or writing failed.
    Io(io::ErrorKind),
    /// The TLS layer gave up.
    Tls(TlsError),
}

impl End {
    /// Whether another attempt will fail too, until someone has changed a setting here or at the SMSC.
    pub(in crate::sms::link) fn is_permanent(self) -> bool {
        let credentials = [CommandStatus::ESME_RINVPASWD, CommandStatus::ESME_RINVSYSID];
        match self {
            Self::Refused(status) => credentials.contains(&status),
            Self::Tls(_) => true,
            Self::ShutDown
            | Self::Unbound
            | Self::BindTimeout
            | Self::Silent
            | Self::Stalled
            | Self::Frame(_)
            | Self::Closed
            | Self::Io(_) => false,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShutDown => f.write_str("shutting down"),
            Self::Unbound => f.write_str("the SMSC unbound"),
            Self::Refused(status) => write!(f, "the SMSC refused the bind with {status}"),
            Self::BindTimeout => f.write_str("the SMSC did not answer the bind"),
            Self::Silent => f.write_str("the SMSC did not answer enquire_link"),
            Self::Stalled => f.write_str("the SMSC does not read"),
            Self::Frame(error) => write!(f, "broken frame: {error}"),
            Self::Closed => f.write_str("the SMSC closed the connection"),
            Self::Io(kind) => write!(f, "{kind}"),
            Self::Tls(error) => write!(f, "TLS: {error}"),
        }
    }
}
