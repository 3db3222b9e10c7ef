//! Whatever the SMSC does, nothing is sent twice and everything has one outcome.

use super::*;
use crate::sms::link::session::sending::GATHER;

/// Two links of one SMSC, which does as `draw` has it.
struct Pair {
    esme: Esme,
    /// The session that `esme` does not hold, and the lane of its link.
    other: (Session<'static>, &'static Lane),
    /// Which link `esme` holds.
    link: usize,
    /// What the SMSC has read, of each link, beyond the last whole PDU.
    streams: [Vec<u8>; 2],
    /// What waits for its answer: link, sequence and number.
    open: Vec<(usize, u32, u8)>,
    /// What may not be seen any more.
    settled: [bool; 256],
    outcomes: Vec<(u8, Delivery)>,
    sent: Vec<u8>,
}

impl Pair {
    fn new(window: usize) -> Self {
        let mut esme = Esme::bound(|config| config.window = window);
        let other = esme.session_of(1);
        let mut pair = Self {
            link: 1,
            other: (
                std::mem::replace(&mut esme.session, other.0),
                std::mem::replace(&mut esme.lane, other.1),
            ),
            esme,
            streams: Default::default(),
            open: Vec::new(),
            settled: [false; 256],
            outcomes: Vec::new(),
            sent: Vec::new(),
        };
        pair.esme.bind();
        pair
    }

    fn turn_to(&mut self, link: usize) {
        if link != self.link {
            self.link = link;
            std::mem::swap(&mut self.esme.session, &mut self.other.0);
            std::mem::swap(&mut self.esme.lane, &mut self.other.1);
        }
    }

    fn send(&mut self, number: u8) {
        let expires_at = self.esme.now().plus(TTL);
        if let Ok(place) = self.esme.outbox.reserve(phone(number)) {
            place.put(item(number, expires_at));
            self.sent.push(number);
        }
    }

    /// The kernel takes up to this many bytes, and the SMSC reads what is whole.
    fn step(&mut self, bytes: usize) {
        let written = self.esme.step(bytes);
        let stream = &mut self.streams[self.link];
        stream.extend(written);
        while let Some(frame) = frame::cut(stream, frame::COMMAND_LENGTH_MAX).unwrap() {
            let (seen, length) = (as_seen(frame), frame.len());
            stream.drain(..length);
            if seen.command == CommandId::SUBMIT_SM {
                assert!(!std::mem::replace(&mut self.settled[usize::from(seen.number)], true), "sent again");
                self.open.push((self.link, seen.sequence, seen.number));
            }
        }
        self.outcomes.extend(self.esme.reported());
    }

    /// Answers one of those that wait, and turns to its link.
    fn answer(&mut self, which: usize, status: u32) {
        if self.open.is_empty() {
            return;
        }
        let (link, sequence, number) = self.open.swap_remove(which % self.open.len());
        self.turn_to(link);
        self.outcomes.extend(self.esme.reported());
        let in_doubt = self.outcomes.iter().any(|outcome| outcome.0 == number);
        if status == 0 {
            return self.esme.accept(sequence, format!("id-{number}").as_bytes());
        }
        let not_taken = [0x58, 0x14, 0x08].contains(&status);
        self.settled[usize::from(number)] = in_doubt || !not_taken;
        self.esme.refuse(sequence, CommandStatus(status));
    }

    /// The link dies, and another session takes its place.
    fn reconnect(&mut self) {
        let link = self.link;
        let (session, lane) = self.esme.session_of(link);
        let now = self.esme.now();
        std::mem::replace(&mut self.esme.session, session).end(now);
        self.esme.lane = lane;
        self.streams[link].clear();
        self.open.retain(|open| open.0 != link);
        self.outcomes.extend(self.esme.reported());
        self.esme.bind();
    }

    fn act(&mut self, action: u8) {
        self.turn_to(usize::from(action & 1));
        let bytes = [usize::MAX, 150, 300, 1][usize::from(action >> 1 & 3)];
        self.step(bytes);
        let which = usize::from(action);
        match action >> 3 {
            0..=9 => self.answer(which, 0),
            10..=12 => self.answer(which, 0x58),
            13..=15 => self.answer(which, 0x14),
            16..=18 => self.answer(which, 0x08),
            19..=20 => self.answer(which, 0x0B),
            21..=23 => self.esme.pass(Duration::from_secs(5)),
            24..=26 => self.esme.pass(RETRY_PAUSE),
            27..=29 => self.esme.pass(GATHER),
            30 => self.esme.hear(0, 9, Body::EnquireLink),
            _ => self.reconnect(),
        }
    }

    /// Both links die. What is left in the queue, and all outcomes.
    fn end(mut self) -> (Vec<u8>, Vec<(u8, Delivery)>, Vec<u8>) {
        self.other.0.end(self.esme.now());
        let (queued, reported) = self.esme.end();
        self.outcomes.extend(reported);
        (queued, self.outcomes, self.sent)
    }
}

proptest::proptest! {
    #[test]
    fn s4_whatever_the_smsc_does_nothing_is_sent_twice_and_everything_has_one_outcome(
        draw in proptest::collection::vec(0_u8.., 0..400),
        window in 1_usize..8,
    ) {
        let mut pair = Pair::new(window);
        for (index, action) in draw.iter().enumerate() {
            if index % 2 == 0 {
                pair.send(u8::try_from(index / 2).unwrap());
            }
            pair.act(*action);
            proptest::prop_assert!(pair.esme.session.in_flight.submits.in_flight() <= window);
            proptest::prop_assert!(pair.other.0.in_flight.submits.in_flight() <= window);
            if pair.esme.session.over().is_some() {
                pair.reconnect();
            }
        }
        let (queued, outcomes, sent) = pair.end();
        // Late answers add news to an unknown outcome; each message has one first outcome.
        let mut settled: Vec<u8> = outcomes.iter().map(|outcome| outcome.0).collect();
        settled.sort_unstable();
        settled.dedup();
        proptest::prop_assert_eq!(settled.len() + queued.len(), sent.len());
        proptest::prop_assert!(queued.iter().all(|number| !settled.contains(number)));
    }
}
