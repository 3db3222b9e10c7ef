use std::cell::Cell;

use super::smsc::STEADY_AFTER;
use super::*;
use crate::clock::Timestamp;
use crate::sms::destination::Prefix;
use crate::sms::outbox::tests::{item, phone};
use crate::sms::outbox::{Outbox, outbox};
use crate::sms::pace::{Blame, Pace};
use crate::sms::route::table::Table;
use crate::subscriber::admission::Unavailable;

const START: Timestamp = Timestamp::from_unix_millis(1_795_338_900_000);
const TTL: Duration = Duration::from_secs(180);
const SECOND: Duration = Duration::from_secs(1);
const WINDOW: usize = 1_000;
const TIMER: Duration = Duration::from_secs(10);

/// Routes, an outbox before them, and links that do what the test says.
struct House {
    outbox: Outbox,
    router: Rc<Router>,
    clock: Clock,
    metrics: Arc<Metrics>,
    sender: mpsc::Sender<DeliveryReport>,
    reports: mpsc::Receiver<DeliveryReport>,
    /// What was refused and is not tried again: the link would tell it.
    given_up: Cell<usize>,
}

impl House {
    /// SMSCs `a`, `b`, … with this many links each; all links are bound.
    fn new(links: &[usize], routes: &[String]) -> Self {
        // Three destinations: numbers of one, two and three hundred.
        Self::with_window(WINDOW, 10, links, routes)
    }

    /// The same with links of this window, and destinations of so many digits; the last is the twelfth.
    fn with_window(window: usize, destination_digits: u32, links: &[usize], routes: &[String]) -> Self {
        let clock = Clock::manual(START);
        let metrics = Arc::new(Metrics::new());
        let names = &["a", "b", "c"][..links.len()];
        let table = Table { destination_digits, ..table(routes, names).unwrap() };
        let (outbox, queue) = outbox(1_000, table, clock.clone(), &metrics);
        let smscs = links.iter().zip(names).map(|(links, name)| Carrier {
            links: *links,
            window,
            response_timer: TIMER,
            metrics: metrics.smsc(name),
        });
        let router = Router::new(queue, smscs, clock.clone(), Arc::clone(&metrics));
        let (sender, reports) = mpsc::channel(100);
        let house = Self { outbox, router, clock, metrics, sender, reports, given_up: Cell::new(0) };
        (0..links.iter().sum()).for_each(|link| house.bind(link));
        house
    }

    fn bind(&self, link: usize) {
        self.router.lane(link).set_bound(true, self.clock.now());
    }

    fn lose(&self, link: usize) {
        let lane = self.router.lane(link);
        lane.set_bound(false, self.clock.now());
        lane.give_back(Vec::new(), self.clock.now());
    }

    fn send(&self, number: u8) {
        self.outbox.reserve(phone(number)).unwrap().put(item(number, self.clock.now().plus(TTL)));
    }

    fn take_whole(&self, link: usize) -> Option<Outgoing> {
        self.router.lane(link).take(self.clock.now())
    }

    fn take(&self, link: usize) -> Option<u8> {
        self.take_whole(link).map(|outgoing| outgoing.item.challenge.0[15])
    }

    /// Has another link than the first take what that one was refused. Returns whether there is one.
    fn fail_over(&self, outgoing: Outgoing) -> bool {
        let (lane, now) = (self.router.lane(0), self.clock.now());
        lane.failed(&outgoing, now).map(|failover| failover.send(outgoing, now)).is_some()
    }

    /// All that a link can take.
    fn all(&self, link: usize) -> Vec<u8> {
        std::iter::from_fn(|| self.take(link)).collect()
    }

    fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
        self.router.on_time(&self.sender);
    }

    /// The link's SMSC answers nothing any more.
    fn fail(&self, link: usize) {
        let now = self.clock.now();
        for number in [1, 101, 201, 1, 101] {
            self.router.lane(link).lost(Prefix::of(phone(number), 10), now, now);
        }
    }

    /// The link is refused a message for now. Returns whether it is to be tried again.
    fn refuse(&self, link: usize, outgoing: Outgoing, trouble: Trouble) -> bool {
        let (lane, now) = (self.router.lane(link), self.clock.now());
        lane.refused(&outgoing, trouble, now).map(|again| again.send(outgoing, now)).is_some()
    }

    /// All that a link can take, refused or accepted by their number. Returns the numbers.
    fn answer(&self, link: usize, trouble: impl Fn(u8) -> Option<Trouble>) -> Vec<u8> {
        let taken: Vec<_> = std::iter::from_fn(|| self.take_whole(link)).collect();
        let answer = |outgoing: Outgoing| {
            let number = outgoing.item.challenge.0[15];
            match trouble(number) {
                None => self.accept(link, &outgoing),
                Some(Trouble::Error) => _ = self.router.lane(link).failed(&outgoing, self.clock.now()),
                Some(trouble) => {
                    let again = self.refuse(link, outgoing, trouble);
                    self.given_up.set(self.given_up.get() + usize::from(!again));
                }
            }
            number
        };
        taken.into_iter().map(answer).collect()
    }

    /// Each second, messages to these numbers, of which the first link is refused what is for a hundred and more.
    fn refuse_for(&self, seconds: u32, numbers: std::ops::Range<u8>, trouble: Trouble) {
        for _ in 0..seconds {
            numbers.clone().for_each(|number| self.send(number));
            self.answer(0, sick(trouble));
            self.pass(SECOND);
        }
    }

    fn accept(&self, link: usize, outgoing: &Outgoing) {
        self.router.lane(link).accepted(outgoing, self.clock.now());
    }

    fn reported(&mut self) -> Vec<(u8, Delivery)> {
        std::iter::from_fn(|| self.reports.try_recv().ok())
            .map(|report| (report.challenge.0[15], report.delivery))
            .collect()
    }

    /// Whether a link was woken since there is something for it.
    async fn is_woken(&self, link: usize) -> bool {
        let lane = self.router.lane(link);
        tokio::select! {
            biased;
            () = lane.ready() => true,
            () = std::future::ready(()) => false,
        }
    }
}

fn route(prefixes: &[&str], smscs: &[&str]) -> String {
    format!("[[route]]\nprefixes = {prefixes:?}\nsmscs = {smscs:?}\n")
}

fn table(routes: &[String], names: &[&str]) -> Result<Table, settings::Mistakes> {
    settings::from_toml(&routes.concat(), |root| Some(Table::read(root, &root.section("outbox"), names)))
}

#[test]
fn the_longest_prefix_decides_which_smsc_carries_an_sms() {
    // Numbers are +628120000NNN.
    let routes = [route(&[""], &["a"]), route(&["628120000"], &["b"]), route(&["6281200001"], &["c", "a"])];
    let house = House::new(&[1, 1, 1], &routes);
    [7, 107, 8, 108].into_iter().for_each(|number| house.send(number));
    assert!(house.all(0).is_empty());
    assert_eq!(house.all(1), [7, 8]);
    assert_eq!(house.all(2), [107, 108]);
}

#[test]
fn how_many_digits_name_a_network_is_read_with_routes_and_without() {
    let digits = |routes: String| {
        let outbox = "[outbox]\ndestination_digits = 3\n".to_owned();
        table(&[routes, outbox], &["a"]).unwrap().destination_digits
    };
    assert_eq!((digits(String::new()), digits(route(&[""], &["a"]))), (3, 3));
}

#[test]
fn a_route_that_cannot_be_followed_is_refused_by_name() {
    let refused = |routes: &[String]| table(routes, &["a", "b"]).unwrap_err().to_string();
    for (route, expected) in [
        (route(&["", "x"], &["a"]), "2:17: route[0].prefixes[1]: found \"x\", allowed up to 15 digits"),
        (
            route(&[""], &["a"]).replace("\"\"", "\"\", 62"),
            "2:17: route[0].prefixes[1]: found 62, allowed up to 15 digits",
        ),
        (
            route(&[], &["a"]),
            "2:12: route[0].prefixes: found 0 prefixes, allowed a list of 1 to 65535 prefixes",
        ),
        (route(&[""], &["a", "z"]), "3:15: route[0].smscs[1]: found \"z\", allowed \"a\" or \"b\""),
        (route(&[""], &["a", "a"]), "3:15: route[0].smscs[1]: found \"a\", allowed each once"),
        (
            route(&[""], &[]),
            "3:9: route[0].smscs: found 0 names of [[smsc]], allowed a list of 1 to 2 names of [[smsc]]",
        ),
        (
            route(&["62"], &["a"]),
            "1:1: route: found no route for all other numbers, allowed one that has the prefix \"\"",
        ),
    ] {
        assert_eq!(refused(&[route]), expected);
    }
    assert_eq!(
        refused(&[route(&["", "62"], &["a"]), route(&["62"], &["b"])]),
        "5:13: route[1].prefixes[0]: found \"62\", allowed a prefix that no route before has"
    );
}

#[test]
fn s7_without_a_bound_link_the_next_smsc_takes_over_and_what_waited_goes_along() {
    let house = House::new(&[2, 1], &[]);
    (1..=3).for_each(|number| house.send(number));
    assert_eq!(house.take(2), None, "the first SMSC carries all while it can");
    house.lose(0);
    assert_eq!(house.take(2), None);
    house.lose(1);
    assert_eq!(house.all(2), [1, 2, 3]);
    // It is preferred again once it has been up for a while: no ping-pong.
    house.bind(0);
    house.send(4);
    assert_eq!((house.take(0), house.take(2)), (None, Some(4)));
    house.pass(STEADY_AFTER);
    house.send(5);
    assert_eq!((house.take(2), house.take(0)), (None, Some(5)));
}

#[test]
fn s7_an_smsc_that_has_just_come_back_takes_all_if_no_other_can() {
    let house = House::new(&[1, 1], &[]);
    house.lose(0);
    house.lose(1);
    (1..=3).for_each(|number| house.send(number));
    house.bind(0);
    assert_eq!(house.all(0), [1, 2, 3]);
}

#[test]
fn s7_a_failing_smsc_is_left_alone_then_probed_and_takes_over_again_without_ping_pong() {
    let house = House::new(&[1, 1], &[]);
    (1..=3).for_each(|number| house.send(number));
    assert_eq!((house.take(1), house.take(0)), (None, Some(1)));
    house.fail(0);
    assert_eq!(house.metrics.smsc("a").circuit_open.get(), 1);
    assert_eq!(house.all(1), [2, 3]);
    house.send(4);
    assert_eq!((house.take(0), house.take(1)), (None, Some(4)));
    house.pass(circuit::PAUSE_MIN);
    // One probe at a time; the others go on by the other.
    for number in [5, 7, 9] {
        house.send(number);
        house.send(number + 1);
        let probe = house.take_whole(0).unwrap();
        assert_eq!(probe.item.challenge.0[15], number);
        assert_eq!((house.all(0), house.all(1)), (vec![], vec![number + 1]));
        house.accept(0, &probe);
    }
    house.send(11);
    house.send(12);
    assert_eq!((house.all(0), house.all(1)), (vec![11, 12], vec![]));
    assert_eq!(house.metrics.smsc("a").circuit_open.get(), 0);
    assert_eq!(house.metrics.smsc("a").circuit_opened.get(), 1);
}

#[test]
fn s7_while_all_fail_callers_are_refused_at_once_and_what_was_taken_in_waits() {
    let house = House::new(&[1, 1], &[]);
    house.send(1);
    house.send(2);
    house.fail(0);
    assert!(house.outbox.reserve(phone(1)).is_ok());
    house.fail(1);
    assert_eq!(house.outbox.reserve(phone(1)).unwrap_err(), Unavailable::SmscFailing);
    assert_eq!((house.take(0), house.take(1)), (None, None));
    house.pass(circuit::PAUSE_MIN);
    assert!(house.outbox.reserve(phone(1)).is_ok());
    assert_eq!((house.all(0), house.all(1)), (vec![1], vec![2]), "a probe each");
    house.fail(0);
    house.fail(1);
    assert_eq!(house.outbox.reserve(phone(1)).unwrap_err(), Unavailable::SmscFailing);
}

#[test]
fn a_probe_that_was_not_sent_lets_the_next_one_go() {
    let house = House::new(&[1], &[]);
    house.send(1);
    house.send(2);
    house.fail(0);
    assert_eq!(house.take(0), None);
    house.pass(circuit::PAUSE_MIN);
    let probe = house.take_whole(0).unwrap();
    assert_eq!((probe.item.challenge.0[15], house.take(0)), (1, None));
    house.router.lane(0).unsent(&probe, house.clock.now());
    assert_eq!(house.all(0), [2]);
}

#[test]
fn what_is_given_back_goes_first_and_in_order_and_may_go_to_another_smsc() {
    let house = House::new(&[1, 1], &[]);
    (1..=4).for_each(|number| house.send(number));
    let taken: Vec<Outgoing> = (0..3).map(|_| house.take_whole(0).unwrap()).collect();
    assert_eq!(house.metrics.sms.outbox_items.get(), 4, "what a link has keeps its place");
    house.router.lane(0).set_bound(false, house.clock.now());
    house.router.lane(0).give_back(taken, house.clock.now());
    assert_eq!(house.metrics.sms.outbox_items.get(), 4);
    assert_eq!(house.all(1), [1, 2, 3, 4]);
    assert_eq!(house.metrics.sms.outbox_items.get(), 0);
}

#[test]
fn what_an_smsc_could_not_deal_with_goes_to_the_next_smsc_first() {
    let house = House::new(&[2, 1], &[]);
    house.send(1);
    assert!(house.fail_over(house.take_whole(0).unwrap()));
    assert_eq!((house.take(0), house.take(1)), (None, None));
    let outgoing = house.take_whole(2).unwrap();
    assert!(outgoing.failed);
    assert!(!house.fail_over(outgoing), "the next has the last word");
    // Without the other SMSC: another link of the same.
    house.lose(2);
    house.send(2);
    assert!(house.fail_over(house.take_whole(0).unwrap()));
    assert_eq!((house.take(0), house.take(1)), (None, Some(2)));
    // Without another link: nowhere.
    house.lose(1);
    house.send(3);
    assert!(!house.fail_over(house.take_whole(0).unwrap()));
}

#[test]
fn what_waits_for_one_link_alone_is_not_lost_with_it() {
    let house = House::new(&[2], &[]);
    house.send(1);
    let outgoing = house.take_whole(0).unwrap();
    assert!(house.fail_over(outgoing));
    house.lose(1);
    assert_eq!(house.take(0), Some(1));
}

#[test]
fn s11_what_is_too_old_is_dropped_and_told_within_a_second_wherever_it_waits() {
    let mut house = House::new(&[1], &[]);
    let send = |number, left| house.outbox.reserve(phone(1)).unwrap().put(item(number, START.plus(left)));
    let outgoing = {
        send(1, 30 * SECOND);
        house.take_whole(0).unwrap()
    };
    house.lose(0);
    house.router.lane(0).give_back(vec![outgoing], house.clock.now());
    send(2, 30 * SECOND);
    send(3, 60 * SECOND);
    house.pass(20 * SECOND);
    assert_eq!(house.reported(), []);
    house.pass(SECOND);
    assert_eq!(house.reported(), [(1, Delivery::Expired), (2, Delivery::Expired)]);
    assert_eq!(house.metrics.sms.unsent.of(Unsent::Expired).get(), 2);
    assert_eq!(house.metrics.sms.outbox_items.get(), 1);
    house.bind(0);
    assert_eq!(house.all(0), [3]);
}

#[test]
fn what_cannot_be_told_now_is_dropped_later() {
    let mut house = House::new(&[1], &[]);
    (0..=100).for_each(|number| house.send(number));
    house.pass(TTL);
    assert_eq!(house.reported().len(), 100);
    house.pass(SECOND);
    assert_eq!(house.reported(), [(100, Delivery::Expired)]);
}

#[test]
fn waiting_items_keep_their_places_wherever_they_wait() {
    let routes = [route(&[""], &["a"]), route(&["6281200001"], &["b"])];
    let house = House::new(&[1, 1], &routes);
    house.lose(1);
    (0..200).for_each(|number| house.send(number));
    assert_eq!(house.all(0).len(), 100, "the others are parked, in nobody's way");
    assert_eq!(house.metrics.sms.outbox_items.get(), 100);
    (0..100).for_each(|number| house.send(number));
    assert_eq!(house.all(0).len(), 100);
    house.bind(1);
    assert_eq!(house.all(1).len(), 100);
    assert_eq!(house.metrics.sms.outbox_items.get(), 0);
}

#[tokio::test(flavor = "local")]
async fn idle_links_are_woken_in_turn_for_one_item_each() {
    let house = House::new(&[3], &[]);
    let (drain, sender) = (CancellationToken::new(), house.sender.clone());
    let routes = Rc::clone(&house.router);
    tokio::task::spawn_local(async move { routes.run(&drain, &sender).await });
    let mut order = Vec::new();
    for number in 0..6 {
        (0..3).for_each(|link| house.router.lane(link).set_idle(true));
        house.send(number);
        let woken = loop {
            tokio::task::yield_now().await;
            let mut woken = Vec::new();
            for link in 0..3 {
                if house.is_woken(link).await {
                    woken.push(link);
                }
            }
            if !woken.is_empty() {
                break woken;
            }
        };
        assert_eq!(woken.len(), 1);
        assert_eq!(house.take(woken[0]), Some(number));
        order.push(woken[0]);
    }
    assert_eq!(order, [0, 1, 2, 0, 1, 2]);
}

#[tokio::test(flavor = "local")]
async fn a_link_that_can_take_no_more_has_another_woken() {
    let house = House::new(&[3], &[]);
    (0..2).for_each(|link| house.router.lane(link).set_idle(true));
    house.send(1);
    house.send(2);
    let taken = vec![house.take_whole(2).unwrap(), house.take_whole(2).unwrap()];
    house.router.lane(0).set_idle(false);
    house.router.lane(2).give_back(taken, house.clock.now());
    assert!(!house.is_woken(0).await && house.is_woken(1).await);
    house.router.lane(0).set_idle(true);
    assert!(house.is_woken(0).await, "something waits");
    house.router.lane(2).set_idle(true);
    assert!(house.is_woken(2).await);
    assert_eq!(house.take(0), Some(1));
    (0..3).for_each(|link| house.router.lane(link).set_idle(link == 1));
    assert!(house.is_woken(1).await);
    assert_eq!(house.take(1), Some(2));
    house.router.lane(1).set_idle(true);
    assert!(!house.is_woken(1).await, "nothing waits");
}

#[test]
fn told_to_stop_it_is_drained_once_nothing_waits_or_can_come() {
    let mut house = House::new(&[1, 1], &[]);
    let lane = house.router.lane(0);
    house.send(1);
    house.send(2);
    assert!(!lane.is_drained());
    house.router.close();
    assert!(house.outbox.reserve(phone(1)).is_err() && !lane.is_drained());
    assert_eq!(house.take(0), Some(1));
    assert!(!lane.is_drained());
    assert_eq!(house.router.drop_waiting(&house.sender), 1);
    assert_eq!(house.reported(), [(2, Delivery::Dropped)]);
    assert!(lane.is_drained());
}

/// What is for numbers of a hundred and more is in trouble.
fn sick(trouble: Trouble) -> impl Fn(u8) -> Option<Trouble> {
    move |number| (number >= 100).then_some(trouble)
}

#[test]
fn s6a_abuse_62_half_of_the_traffic_sick_for_five_minutes_holds_up_none_of_the_other_half() {
    for trouble in [Trouble::Throttled, Trouble::Full] {
        let mut house = House::new(&[1], &[]);
        let (mut sent, mut refused, mut tried, mut told) = (0_usize, 0, 0, Vec::new());
        for second in 0..300_u16 {
            let numbers = [0, 1, 2, 3].map(|next| u8::try_from((4 * second + next) % 100).unwrap());
            for number in numbers {
                house.send(number);
                match house.outbox.reserve(phone(100 + number)) {
                    Ok(place) => place.put(item(100 + number, house.clock.now().plus(TTL))),
                    Err(error) => {
                        assert_eq!(error, Unavailable::DestinationFailing);
                        refused += 1;
                        continue;
                    }
                }
                sent += 1;
            }
            let answered = house.answer(0, sick(trouble));
            let good: Vec<u8> = answered.iter().copied().filter(|number| *number < 100).collect();
            assert_eq!(good, numbers, "at once, in second {second}");
            tried += answered.len() - good.len();
            house.pass(SECOND);
            told.extend(house.reported());
        }
        assert!(told.iter().all(|(number, delivery)| *number >= 100 && delivery.has_failed()));
        let waiting = usize::try_from(house.metrics.sms.outbox_items.get()).unwrap();
        // Two and a half of 400 places are a quarter of 1,000, but for what came within a second of the last look.
        assert!(waiting <= 250 + 4, "{waiting} wait");
        assert!(tried < sent + 300, "{trouble:?}: {tried} tries of {sent}, {refused} refused");
        assert_eq!(house.metrics.smsc("a").circuit_opened.get(), 0);
        assert_eq!(told.len() + house.given_up.get() + waiting, sent, "none is lost");
        // Once it is well, what still may be sent goes, and nothing is held back any more.
        for _ in 0..30 {
            house.answer(0, |_| None);
            house.pass(SECOND);
        }
        assert_eq!(house.metrics.sms.outbox_items.get(), 0);
        assert!(house.outbox.reserve(phone(100)).is_ok());
    }
}

#[test]
fn s6a_a_sick_destination_holds_a_quarter_of_its_route_s_places_and_its_own_are_refused_then() {
    let house = House::new(&[1], &[]);
    let mut held = 0;
    let refused = loop {
        match house.outbox.reserve(phone(100)) {
            Ok(place) => place.put(item(100, house.clock.now().plus(TTL))),
            Err(error) => break error,
        }
        held += 1;
        house.answer(0, sick(Trouble::Throttled));
        house.pass(Duration::from_millis(20));
    };
    assert_eq!(refused, Unavailable::DestinationFailing);
    assert!((200..=300).contains(&held), "{held}");
    assert!(house.outbox.reserve(phone(1)).is_ok(), "others are served");
}

#[test]
fn s6a_errors_of_one_destination_open_no_circuit_and_hold_nothing_up() {
    let mut house = House::new(&[1], &[]);
    for _ in 0..300 {
        [1, 101, 102].into_iter().for_each(|number| house.send(number));
        assert_eq!(house.answer(0, sick(Trouble::Error)).len(), 3, "told at once");
        house.pass(SECOND);
    }
    assert_eq!(house.metrics.smsc("a").circuit_opened.get(), 0);
    assert_eq!(house.reported(), []);
}

#[test]
fn s6a_what_fails_alone_opens_the_circuit_for_no_other_destination() {
    for silent in [false, true] {
        let house = House::new(&[1], &[]);
        let fail = |number| {
            house.send(number);
            let Some(outgoing) = house.take_whole(0) else { return };
            let (lane, now) = (house.router.lane(0), house.clock.now());
            if silent {
                lane.unanswered(&outgoing, now, now);
            } else {
                lane.failed(&outgoing, now);
            }
        };
        for _ in 0..30 {
            fail(100);
            house.pass(SECOND);
            if house.metrics.smsc("a").circuit_opened.get() > 0 {
                break;
            }
        }
        assert_eq!(house.metrics.smsc("a").circuit_opened.get(), 1);
        let refused = |number| house.outbox.reserve(phone(number)).err();
        assert_eq!(refused(1), None);
        if silent {
            assert_eq!(refused(101), Some(Unavailable::SmscFailing));
        }
        // What is for others is sent, and its success frees what waited.
        house.send(1);
        assert_eq!(house.answer(0, |_| None), [1]);
        assert_eq!(house.metrics.smsc("a").circuit_open.get(), 0);
        assert_eq!(refused(101), None);
    }
}

#[test]
fn s6a_while_the_circuit_is_open_for_one_destination_a_few_of_it_wait_and_others_go() {
    let house = House::new(&[1], &[]);
    while house.metrics.smsc("a").circuit_open.get() == 0 {
        house.send(100);
        house.answer(0, sick(Trouble::Error));
    }
    assert_eq!(house.metrics.smsc("a").circuit_opened.get(), 1);
    let mut more = 0;
    while let Ok(place) = house.outbox.reserve(phone(100)) {
        place.put(item(100, house.clock.now().plus(TTL)));
        more += 1;
    }
    assert_eq!(more, crate::sms::route::SLOW_PLACES_MAX);
    assert_eq!(house.outbox.reserve(phone(100)).unwrap_err(), Unavailable::DestinationFailing);
    assert!(house.outbox.reserve(phone(1)).is_ok());
}

#[test]
fn s6a_while_an_smsc_fails_with_several_destinations_others_try_it_out() {
    let house = House::with_window(WINDOW, 12, &[1], &[]);
    while house.metrics.smsc("a").circuit_open.get() == 0 {
        for number in 100..106 {
            if let Ok(place) = house.outbox.reserve(phone(number)) {
                place.put(item(number, house.clock.now().plus(TTL)));
            }
        }
        house.answer(0, sick(Trouble::Error));
    }
    // Nine in ten are for those that fail.
    let mut refused = 0;
    for round in 0..100_u8 {
        for number in (100..109).map(|number| 100 + number % 6).chain([round % 5]) {
            match house.outbox.reserve(phone(number)) {
                Ok(place) => place.put(item(number, house.clock.now().plus(TTL))),
                Err(_) => refused += u32::from(number < 100 && round >= 60),
            }
        }
        house.answer(0, sick(Trouble::Error));
        house.pass(Duration::from_millis(125));
    }
    assert_eq!(refused, 0, "after the first pause, it is well to others");
    assert_eq!(house.metrics.smsc("a").circuit_open.get(), 0);
}

#[test]
fn s6a_while_several_that_are_alone_are_silent_another_that_comes_tries_and_opens_the_way() {
    let house = House::with_window(WINDOW, 12, &[1], &[]);
    for number in [100, 101, 102, 100, 101] {
        house.send(number);
        let outgoing = house.take_whole(0).unwrap();
        house.router.lane(0).unanswered(&outgoing, house.clock.now(), house.clock.now());
    }
    assert_eq!(house.outbox.reserve(phone(100)).unwrap_err(), Unavailable::SmscFailing);
    (1..=6).for_each(|number| house.send(number));
    for number in [1, 2, 3] {
        assert_eq!(house.metrics.smsc("a").circuit_open.get(), 1);
        let probe = house.take_whole(0).unwrap();
        assert_eq!((probe.item.challenge.0[15], house.take(0)), (number, None), "one at a time, and at once");
        house.accept(0, &probe);
    }
    assert_eq!(house.metrics.smsc("a").circuit_open.get(), 0);
    assert_eq!(house.answer(0, |_| None), [4, 5, 6]);
    assert!(house.outbox.reserve(phone(100)).is_ok());
}

#[test]
fn s6a_a_try_that_gets_no_answer_until_the_pause_is_over_does_not_hold_up_the_next() {
    let house = House::with_window(WINDOW, 12, &[1], &[]);
    house.fail(0);
    house.send(1);
    let outgoing = house.take_whole(0).unwrap();
    house.pass(circuit::PAUSE_MIN);
    house.pass(TIMER - circuit::PAUSE_MIN);
    house.router.lane(0).unanswered(&outgoing, outgoing.taken_at, house.clock.now());
    house.send(2);
    house.pass(SECOND);
    assert_eq!(house.take(0), Some(2));
}

#[test]
fn s6a_a_try_that_was_not_taken_before_the_link_was_lost_is_made_when_it_is_back() {
    let house = House::with_window(WINDOW, 12, &[1, 1], &[route(&[""], &["a"])]);
    house.fail(0);
    house.send(1);
    // Another SMSC's link puts it into the lane.
    assert_eq!(house.take(1), None);
    house.lose(0);
    house.bind(0);
    assert_eq!(house.take(0), Some(1));
}

#[test]
fn s6a_what_waits_for_destinations_that_fail_takes_no_place_of_others_that_try() {
    let house = House::with_window(WINDOW, 12, &[1], &[]);
    (0..10).for_each(|_| (100..103).for_each(|number| house.send(number)));
    for _ in 0..3 {
        let outgoing = house.take_whole(0).unwrap();
        house.router.lane(0).failed(&outgoing, house.clock.now());
    }
    house.fail(0);
    assert_eq!((house.metrics.smsc("a").circuit_open.get(), house.take(0)), (1, None));
    house.pass(SECOND);
    let places = (0..20).filter_map(|_| house.outbox.reserve(phone(1)).ok());
    assert_eq!(places.collect::<Vec<_>>().len(), crate::sms::route::SLOW_PLACES_MAX);
}

#[test]
fn s6a_what_tries_and_gets_no_answer_has_failed_too() {
    let house = House::with_window(WINDOW, 12, &[1, 1], &[]);
    house.lose(1);
    for number in [100, 101, 102, 100, 101] {
        house.send(number);
        let outgoing = house.take_whole(0).unwrap();
        house.router.lane(0).unanswered(&outgoing, house.clock.now(), house.clock.now());
    }
    for number in [1, 2] {
        house.send(number);
        let outgoing = house.take_whole(0).unwrap();
        house.pass(SECOND);
        assert_eq!(house.take(0), None);
        house.router.lane(0).unanswered(&outgoing, outgoing.taken_at, house.clock.now());
        house.pass(SECOND);
        assert_eq!(house.outbox.reserve(phone(number)).unwrap_err(), Unavailable::SmscFailing);
    }
    // Where another SMSC is well, nothing is to be tried.
    house.bind(1);
    house.send(3);
    assert_eq!((house.take(0), house.take(1)), (None, Some(3)));
}

#[test]
fn s6a_one_handset_in_ten_whose_queue_is_full_makes_no_prefix_sick() {
    let house = House::with_window(WINDOW, 10, &[1], &[]);
    let mut waited = 0;
    for round in 0..20_u8 {
        (0..10).for_each(|number| house.send(10 * (round % 10) + number));
        let full = |number: u8| (number % 10 == round % 7).then_some(Trouble::Full);
        let answered = house.answer(0, full);
        waited += 10_usize.saturating_sub(answered.len());
        house.pass(Duration::from_millis(200));
        assert_eq!(house.metrics.smsc("a").unwell_destinations.get(), 0, "in round {round}");
    }
    assert!(waited <= 20, "{waited} waited for their handset");
}

#[test]
fn s6a_refusals_of_many_destinations_hold_back_none_of_them() {
    let house = House::new(&[1], &[]);
    for round in 0..20 {
        [1, 2, 101, 102, 201, 202].into_iter().for_each(|number| house.send(number));
        house.answer(0, |_| Some(Trouble::Throttled));
        house.clock.advance(Duration::from_millis(100));
        let spreads = matches!(house.router.lane(0).blame(), Blame::Link { .. });
        assert!(spreads || round < 12, "in round {round}");
    }
    house.send(3);
    assert!(house.all(0).contains(&3), "it is the link that is too fast");
}

#[test]
fn s6b_abuse_63_what_one_smsc_refuses_again_another_takes_within_seconds_and_what_follows_at_once() {
    for trouble in [Trouble::Throttled, Trouble::Full] {
        let mut house = House::new(&[1, 1], &[]);
        let mut by_second = Vec::new();
        for number in 0..60 {
            house.send(100 + number);
            house.answer(0, |_| Some(trouble));
            by_second.extend(house.answer(1, |_| None));
            house.pass(Duration::from_millis(100));
        }
        for _ in 0..100 {
            house.answer(0, |_| Some(trouble));
            by_second.extend(house.answer(1, |_| None));
            house.pass(Duration::from_millis(100));
        }
        by_second.sort_unstable();
        assert_eq!(by_second, (100..160).collect::<Vec<u8>>(), "each once");
        assert_eq!(house.reported(), []);
        let first = house.metrics.smsc("a");
        assert_eq!((first.refusing.get(), first.refusing_began.get(), first.circuit_opened.get()), (1, 1, 0));
        // It is tried out now and then, and preferred again once it takes what it gets.
        for number in 0..200 {
            house.send(number);
            house.answer(0, |_| None);
            house.answer(1, |_| None);
            house.pass(Duration::from_millis(100));
        }
        assert_eq!(house.metrics.smsc("a").refusing.get(), 0);
    }
}

#[test]
fn s6b_a_prefix_that_is_sick_at_one_smsc_goes_by_the_other_and_the_rest_by_the_first() {
    for trouble in [Trouble::Throttled, Trouble::Full] {
        let house = House::new(&[1, 1], &[]);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for number in 0..90 {
            house.send(number);
            house.send(100 + number);
            first.extend(house.answer(0, sick(trouble)));
            second.extend(house.answer(1, |_| None));
            house.clock.advance(Duration::from_millis(200));
            house.router.on_time(&house.sender);
        }
        assert!((0..90).all(|number| first.contains(&number)), "{trouble:?}");
        let tried = first.iter().filter(|number| **number >= 100).count();
        assert!(tried < 60, "{trouble:?}: the sick ones were tried {tried} times");
    }
}

#[test]
fn s6b_whatever_one_smsc_refuses_of_a_sick_prefix_is_with_another_within_three_seconds() {
    for trouble in [Trouble::Throttled, Trouble::Full] {
        let house = House::new(&[1, 1], &[]);
        let mut second = Vec::new();
        for number in 0..90_u8 {
            (0..4).for_each(|good| house.send(good));
            house.send(100 + number);
            let sent = house.clock.now();
            house.answer(0, sick(trouble));
            second.extend(house.answer(1, |_| None).into_iter().map(|number| (number, sent)));
            house.pass(Duration::from_millis(100));
        }
        for number in 0..60_u8 {
            let came = second.iter().find(|(found, _)| *found == 100 + number).map(|(_, at)| *at);
            let took = came.map(|at| at.since(START.plus(u32::from(number) * Duration::from_millis(100))));
            assert!(took.is_some_and(|took| took <= 3 * SECOND), "{trouble:?} {number}: {took:?}");
        }
    }
}

#[test]
fn s6b_what_waits_for_its_destination_goes_by_another_smsc_a_second_after_that_is_there() {
    for trouble in [Trouble::Throttled, Trouble::Full] {
        let house = House::new(&[1, 1], &[]);
        house.lose(1);
        house.refuse_for(10, 100..120, trouble);
        // Each of them was tried already, or waits for what was.
        let waiting = usize::try_from(house.metrics.sms.outbox_items.get()).unwrap();
        assert!(waiting > 50, "{waiting}");
        house.bind(1);
        let mut second = Vec::new();
        for _ in 0..20 {
            house.pass(SECOND);
            house.answer(0, sick(trouble));
            second.extend(house.answer(1, |_| None));
            if second.len() + 20 >= waiting {
                break;
            }
        }
        assert!(house.clock.now() <= START.plus(12 * SECOND), "{trouble:?}: {} of {waiting}", second.len());
    }
}

#[test]
fn s7_a_probe_that_is_refused_for_now_lets_the_next_one_go_within_a_second() {
    let house = House::new(&[1], &[]);
    [1, 101, 201].into_iter().for_each(|number| house.send(number));
    house.fail(0);
    house.pass(circuit::PAUSE_MIN);
    for _ in 0..3 {
        let probe = house.take_whole(0).unwrap();
        assert_eq!(house.take(0), None, "one at a time");
        house.refuse(0, probe, Trouble::Throttled);
        house.pass(SECOND);
    }
}

#[test]
fn s7_what_was_refused_before_waits_while_the_smsc_answers_nothing() {
    let mut house = House::new(&[1], &[]);
    [1, 101, 201].into_iter().for_each(|number| house.send(number));
    assert_eq!(house.answer(0, |_| Some(Trouble::Throttled)).len(), 3);
    house.fail(0);
    for _ in 0..4 {
        house.pass(SECOND);
        assert_eq!(house.take(0), None);
        assert!(house.router.lane(0).due().is_none(), "the link does not look again and again");
    }
    house.pass(SECOND);
    let probe = house.take_whole(0).unwrap();
    assert_eq!(house.take(0), None, "one at a time");
    house.accept(0, &probe);
    assert!(house.take(0).is_some());
    assert_eq!(house.reported(), []);
}

#[test]
fn s7_what_waits_for_an_smsc_that_is_lost_goes_by_another_or_is_told_when_it_is_too_old() {
    for trouble in [None, Some(Trouble::Throttled)] {
        let mut house = House::new(&[1, 1], &[]);
        house.lose(1);
        // More than a destination may hold before its first answer, or refused, some of them.
        (0..9).for_each(|_| (100..200).for_each(|number| house.send(number)));
        let taken: Vec<_> = std::iter::from_fn(|| house.take_whole(0)).collect();
        let waiting = 900 - taken.len();
        assert!(waiting > 0, "{waiting}");
        if let Some(trouble) = trouble {
            taken.into_iter().for_each(|outgoing| _ = house.refuse(0, outgoing, trouble));
        }
        house.lose(0);
        house.bind(1);
        assert!(house.all(1).len() >= waiting, "{trouble:?}");
        assert_eq!(house.reported(), []);
    }
    let mut house = House::new(&[1], &[]);
    (100..160).for_each(|number| house.send(number));
    house.answer(0, sick(Trouble::Throttled));
    house.lose(0);
    house.pass(TTL);
    assert_eq!(house.reported().len(), 60, "within a second");
}

#[test]
fn s6a_one_handset_whose_queue_is_full_is_no_sick_destination() {
    let house = House::new(&[1], &[]);
    let unwell = || house.metrics.smsc("a").unwell_destinations.get();
    for _ in 0..2 {
        house.send(100);
        house.answer(0, sick(Trouble::Full));
    }
    house.pass(SECOND);
    assert_eq!(unwell(), 0);
    let mut places = Vec::new();
    for number in 0..600 {
        places.push(house.outbox.reserve(phone(101)).unwrap_or_else(|error| panic!("{number}: {error:?}")));
    }
    drop(places);
    (101..110).for_each(|number| house.send(number));
    house.answer(0, sick(Trouble::Full));
    house.pass(SECOND);
    assert_eq!(unwell(), 1, "many are their prefix's");
}

#[test]
fn s6a_what_two_smscs_refuse_goes_to_and_fro_a_few_times_and_is_told_in_time() {
    let mut house = House::new(&[1, 1], &[]);
    (100..130).for_each(|number| house.send(number));
    let (mut tried, mut told) = (0, 0);
    for _ in 0..TTL.as_secs() / 3 + 2 {
        tried += house.answer(0, sick(Trouble::Throttled)).len();
        tried += house.answer(1, sick(Trouble::Throttled)).len();
        house.pass(SECOND);
        told += house.reported().len();
    }
    assert_eq!(told + house.given_up.get(), 30);
    assert_eq!(house.metrics.sms.outbox_items.get(), 0);
    assert!(tried <= 30 * 5, "{tried}");
}

#[test]
fn s6a_a_silent_network_is_tried_again_after_longer_and_longer_pauses_and_freed_by_one_answer() {
    let house = House::new(&[1], &[]);
    let lane = house.router.lane(0);
    let unanswered = |outgoing: &Outgoing| {
        house.clock.advance(TIMER);
        // Others are answered, so that it is not the SMSC.
        house.send(1);
        house.accept(0, &house.take_whole(0).unwrap());
        lane.unanswered(outgoing, outgoing.taken_at, house.clock.now());
    };
    (100..110).for_each(|number| house.send(number));
    let burst: Vec<_> = std::iter::from_fn(|| house.take_whole(0)).collect();
    house.clock.advance(TIMER);
    let now = house.clock.now();
    house.send(1);
    house.accept(0, &house.take_whole(0).unwrap());
    burst.iter().for_each(|outgoing| lane.unanswered(outgoing, outgoing.taken_at, now));
    (110..115).for_each(|number| house.send(number));
    for pause in [1, 2, 4, 4] {
        assert_eq!(house.take(0), None, "a pause of {pause} s");
        house.clock.advance(Duration::from_secs(pause) - Duration::from_millis(1));
        assert_eq!(house.take(0), None, "a pause of {pause} s");
        house.clock.advance(Duration::from_millis(1));
        let probe = house.take_whole(0).unwrap();
        assert_eq!(house.take(0), None, "one at a time");
        unanswered(&probe);
    }
    house.clock.advance(4 * SECOND);
    let probe = house.take_whole(0).unwrap();
    house.accept(0, &probe);
    house.send(115);
    assert_eq!(house.take(0), Some(115));
    assert_eq!(house.metrics.smsc("a").circuit_opened.get(), 0);
}

/// The SMSCs of [`beside`]: how many, with this many links of this window each.
#[derive(Clone, Copy)]
struct Smscs {
    count: usize,
    links: usize,
    window: usize,
}

const ONE: Smscs = Smscs { count: 1, links: 1, window: 20 };

/// What becomes of two good destinations at 8 messages a second each, answered after 20 ms, beside others for 40
/// seconds: SMS to the `sick` numbers in turn, `per_second`, the nth of which is `answered` after so long at that
/// time by the first SMSC, or never. All good ones have to be answered. Returns the slowest of them, and how many sick
/// ones were answered by each SMSC.
fn beside(
    smscs: Smscs,
    sick: &[u8],
    per_second: u64,
    answered: impl Fn(usize, Duration) -> Option<Duration>,
) -> (Duration, [usize; 2]) {
    const STEP: Duration = Duration::from_millis(5);
    let Smscs { count, links, window } = smscs;
    let house = House::with_window(window, 11, &vec![links; count], &[]);
    let mut in_flight: Vec<Vec<(Outgoing, Option<Timestamp>)>> = Vec::new();
    in_flight.resize_with(count * links, Vec::new);
    let (mut slowest, mut sick_answered, mut taken) = (Duration::ZERO, [0, 0], 0);
    let (mut good_sent, mut good_answered) = (0, 0);
    let mut sick_numbers = sick.iter().cycle();
    for step in 0..u64::try_from(45 * SECOND.as_millis() / STEP.as_millis()).unwrap() {
        let now = house.clock.now();
        let elapsed = now.since(START);
        let send = |number| {
            if let Ok(place) = house.outbox.reserve(phone(number)) {
                place.put(item(number, now.plus(TTL)));
            } else {
                assert!(number >= 100, "a good one is refused after {elapsed:?}: {sick:?}");
            }
        };
        if elapsed < 40 * SECOND {
            if step % 25 == 0 {
                [1, 11].into_iter().for_each(send);
                good_sent += 2;
            }
            let due = |step: u64| step * per_second * 5 / 1_000;
            (due(step)..due(step + 1)).for_each(|_| send(*sick_numbers.next().unwrap()));
        }
        for (link, in_flight) in in_flight.iter_mut().enumerate() {
            let (lane, smsc) = (house.router.lane(link), link / links);
            for (outgoing, due) in std::mem::take(in_flight) {
                let is_sick = outgoing.item.challenge.0[15] >= 100;
                if due.is_some_and(|due| due <= now) {
                    lane.accepted(&outgoing, now);
                    if is_sick {
                        sick_answered[smsc] += 1;
                    } else {
                        good_answered += 1;
                        slowest = slowest.max((now.plus(TTL)).since(outgoing.item.expires_at));
                    }
                } else if now.since(outgoing.taken_at) >= TIMER {
                    lane.unanswered(&outgoing, outgoing.taken_at, now);
                } else {
                    in_flight.push((outgoing, due));
                }
            }
            while in_flight.len() < window
                && let Some(outgoing) = house.take_whole(link)
            {
                let mut after = Some(Duration::from_millis(20));
                if smsc == 0 && outgoing.item.challenge.0[15] >= 100 {
                    taken += 1;
                    after = answered(taken, elapsed);
                }
                in_flight.push((outgoing, after.map(|after| now.plus(after))));
            }
        }
        house.clock.advance(STEP);
        if step % 200 == 199 {
            house.router.on_time(&house.sender);
        }
    }
    assert_eq!(house.metrics.smsc("a").circuit_opened.get(), 0);
    assert_eq!(good_answered, good_sent);
    (slowest, sick_answered)
}

#[test]
fn s6a_abuse_62_a_network_that_answers_some_or_late_or_now_and_then_holds_up_nobody_else() {
    let soon = Some(Duration::from_millis(20));
    let silent_share = |nth: usize, _| if nth % 10 < 3 { None } else { soon };
    let by_turns = |_, elapsed: Duration| if elapsed.as_secs() % 4 < 2 { None } else { soon };
    let late = |after: Duration| move |_, _| Some(after);
    type Answered<'a> = &'a dyn Fn(usize, Duration) -> Option<Duration>;
    let window = |window| Smscs { window, ..ONE };
    let many: Vec<_> = (10..26).map(|network| 10 * network).collect();
    let cases: [(&str, Smscs, &[u8], u64, Answered<'_>); 15] = [
        ("three in ten silent", ONE, &[100, 101, 102], 20, &silent_share),
        ("silent by turns", ONE, &[100, 101, 102], 12, &by_turns),
        ("answered after 3 s", ONE, &[100, 101, 102], 25, &late(3 * SECOND)),
        ("answered after 2 s", ONE, &[100, 101, 102], 25, &late(2 * SECOND)),
        ("three at once", ONE, &[100, 110, 120], 60, &|_, elapsed| soon.filter(|_| elapsed < 5 * SECOND)),
        ("three late", ONE, &[100, 110, 120], 60, &late(3 * SECOND)),
        ("six at once", ONE, &[100, 110, 120, 130, 140, 150], 60, &|_, _| None),
        ("a fast one", ONE, &[100, 101], 200, &|_, elapsed| soon.filter(|_| elapsed < 5 * SECOND)),
        ("a window of 2", window(2), &[100, 101], 5, &|_, _| None),
        ("a window of 5", window(5), &[100, 101], 20, &silent_share),
        ("a window of 100", window(100), &[100, 101], 100, &silent_share),
        ("two links", Smscs { links: 2, ..ONE }, &[100, 101], 40, &silent_share),
        ("many now and then", window(8), &many, 3, &|_, elapsed| soon.filter(|_| elapsed < 10 * SECOND)),
        ("many late", window(8), &many, 8, &late(5 * SECOND)),
        ("two links, late", Smscs { links: 2, ..ONE }, &[100, 110, 120], 60, &late(3 * SECOND)),
    ];
    for (what, smscs, sick, per_second, answered) in cases {
        let (slowest, _) = beside(smscs, sick, per_second, answered);
        // Where only two slots are left, a good one may have to wait for another's.
        assert!(slowest <= Duration::from_millis(80), "{what}: {slowest:?}");
    }
}

#[test]
fn s6b_a_network_that_answers_only_some_goes_by_another_smsc() {
    let (slowest, [first, second]) = beside(Smscs { count: 2, ..ONE }, &[100, 101, 102], 20, |nth, _| {
        (nth % 10 >= 3).then_some(Duration::from_millis(20))
    });
    assert!(slowest <= Duration::from_millis(60), "{slowest:?}");
    assert!(second >= 600 && first >= 10, "{first} by the first, {second} by the second, of 800");
}

/// What becomes of one destination's messages, `good` a second at times, beside those of so many that are throttled, 80 a
/// second together, from the beginning or only after a while. The link keeps its pace. Returns the slowest good one.
fn beside_throttled(
    networks: u64,
    good: u64,
    good_from: Duration,
    throttled_from: Duration,
    part: u64,
) -> Duration {
    const STEP: Duration = Duration::from_millis(5);
    let house = House::with_window(20, 12, &[1], &[]);
    let (lane, mut pace) = (house.router.lane(0), Pace::new(0, START));
    let (mut slowest, mut sent, mut taken, mut nth) = (Duration::ZERO, 0, 0, 0);
    for step in 0..u64::try_from(40 * SECOND.as_millis() / STEP.as_millis()).unwrap() {
        let now = house.clock.now();
        let elapsed = now.since(START);
        let due = |per_second: u64| (step + 1) * per_second / 200 - step * per_second / 200;
        if elapsed >= good_from && elapsed < 35 * SECOND {
            sent += due(good);
            (0..due(good)).for_each(|_| house.send(1));
        }
        for _ in 0..due(80) {
            nth += 1;
            let number = u8::try_from(100 + nth % networks).unwrap();
            if let Ok(place) = house.outbox.reserve(phone(number)) {
                place.put(item(number, now.plus(TTL)));
            }
        }
        pace.on_time_of_link(lane.blame(), now);
        while pace.allows(now)
            && let Some(outgoing) = house.take_whole(0)
        {
            pace.sent(now);
            nth += 1;
            let is_good = outgoing.item.challenge.0[15] == 1;
            if !is_good && elapsed >= throttled_from && nth % part == 0 {
                pace.refused();
                house.refuse(0, outgoing, Trouble::Throttled);
            } else {
                pace.accepted();
                house.accept(0, &outgoing);
                if is_good {
                    taken += 1;
                    slowest = slowest.max(now.plus(TTL).since(outgoing.item.expires_at));
                }
            }
        }
        house.clock.advance(STEP);
        if step % 200 == 199 {
            house.router.on_time(&house.sender);
        }
    }
    assert_eq!(
        taken, sent,
        "{good} a second from {good_from:?}, one in {part} from {throttled_from:?}: {slowest:?}"
    );
    slowest
}

#[test]
fn s6a_abuse_62_many_throttled_networks_beside_hardly_any_other_hold_up_nobody_else() {
    let from = |seconds| seconds * SECOND;
    for (good, part) in [(1, 1), (2, 1), (10, 1), (2, 2), (10, 2)] {
        let slowest = beside_throttled(8, good, from(0), from(5), part);
        // Beside what is half refused the link is blamed for a moment.
        let most = if part == 1 { 20 } else { 600 };
        assert!(slowest <= Duration::from_millis(most), "{good} a second beside one in {part}: {slowest:?}");
    }
    // Sixty that never worked, and sixty that did.
    for (throttled_from, most) in [(0, 20), (5, 3_000)] {
        let slowest = beside_throttled(60, 20, from(0), from(throttled_from), 1);
        assert!(slowest <= Duration::from_millis(most), "sixty from {throttled_from}: {slowest:?}");
    }
    // Where nothing else was there that could tell, the first have to.
    for (good, part) in [(2, 1), (10, 1), (5, 2)] {
        let slowest = beside_throttled(8, good, from(15), from(0), part);
        let most = if part == 1 { from(4) } else { from(12) };
        assert!(slowest <= most, "{good} a second after one in {part}: {slowest:?}");
    }
}

/// How many messages of five good networks, `good` a second, an SMSC takes that takes so many a second and refuses the
/// rest, in a minute beside four networks that are throttled, 40 a second together.
fn taken_at_a_limit(good: u64, takes: u64, rate: u32) -> u64 {
    const STEP: Duration = Duration::from_millis(5);
    let house = House::with_window(20, 11, &[1], &[]);
    let (lane, mut pace) = (house.router.lane(0), Pace::new(rate, START));
    let (mut all_taken, mut allowed) = (0, 0);
    for step in 0..12_000_u64 {
        let now = house.clock.now();
        let due = |per_second: u64| (step * per_second / 200)..((step + 1) * per_second / 200);
        let good = due(good).map(|nth| u8::try_from(1 + 10 * (nth % 5)).unwrap());
        let sick = due(40).map(|nth| u8::try_from(100 + 10 * (nth % 4)).unwrap());
        for number in good.chain(sick) {
            if let Ok(place) = house.outbox.reserve(phone(number)) {
                place.put(item(number, now.plus(TTL)));
            }
        }
        if step % 20 == 0 {
            allowed = takes / 10;
        }
        pace.on_time_of_link(lane.blame(), now);
        while pace.allows(now)
            && let Some(outgoing) = house.take_whole(0)
        {
            pace.sent(now);
            if outgoing.item.challenge.0[15] < 100 && allowed > 0 {
                allowed -= 1;
                all_taken += 1;
                pace.accepted();
                house.accept(0, &outgoing);
            } else {
                pace.refused();
                house.refuse(0, outgoing, Trouble::Throttled);
            }
        }
        house.clock.advance(STEP);
        if step % 200 == 199 {
            house.router.on_time(&house.sender);
        }
    }
    all_taken
}

#[test]
fn s6a_a_link_that_is_too_fast_beside_sick_networks_comes_to_what_the_smsc_takes() {
    for (good, takes, rate) in [(100, 50, 0), (60, 50, 200), (200, 100, 0), (40, 50, 0)] {
        let taken = taken_at_a_limit(good, takes, rate);
        let possible = 60 * takes.min(good);
        assert!(taken * 10 >= possible * 7, "{taken} of {possible}: {good} a second, {takes} of them taken");
    }
}

/// Networks that are throttled.
const THROTTLED: [u8; 4] = [100, 110, 120, 130];

/// A house whose link is blamed, since all that was sent went to [`THROTTLED`] networks.
fn blamed_link() -> House {
    let house = House::with_window(WINDOW, 11, &[1], &[]);
    for _ in 0..20 {
        THROTTLED.into_iter().for_each(|number| house.send(number));
        house.answer(0, sick(Trouble::Throttled));
    }
    assert!(matches!(house.router.lane(0).blame(), Blame::Link { .. }));
    house
}

#[test]
fn s6a_while_refusals_spread_those_refused_go_in_turn_and_others_before_them() {
    let house = blamed_link();
    (0..300).for_each(|_| house.send(100));
    [110, 120, 130].into_iter().for_each(|number| house.send(number));
    (0..9).for_each(|_| house.send(1));
    // Unanswered: none is known to be taken.
    let first: Vec<_> = (0..20).map(|_| house.take(0).unwrap()).collect();
    let of = |number: u8| first.iter().filter(|taken| **taken == number).count();
    assert_eq!(of(1), 9, "{first:?}");
    assert!([110, 120, 130].into_iter().all(|number| of(number) >= 1), "{first:?}");
    house.pass(SECOND);
    assert!(house.outbox.reserve(phone(1)).is_ok());
    let refused = house.outbox.reserve(phone(100)).map(drop);
    assert_eq!(refused, Err(Unavailable::DestinationFailing), "it holds its share");
}

#[test]
fn s6a_what_waited_for_a_slot_may_try_when_the_circuit_opens_and_what_fails_may_not() {
    let house = House::with_window(2, 12, &[1], &[]);
    let (lane, now) = (house.router.lane(0), house.clock.now());
    [1, 1, 100, 100].into_iter().for_each(|number| house.send(number));
    let [well, fails] = [house.take_whole(0).unwrap(), house.take_whole(0).unwrap()];
    assert_eq!(house.take(0), None, "one more of each waits for a slot");
    [100, 101, 102, 100, 101]
        .into_iter()
        .for_each(|number| lane.lost(Prefix::of(phone(number), 12), now, now));
    assert_eq!(house.metrics.smsc("a").circuit_open.get(), 1);
    [well, fails].iter().for_each(|outgoing| lane.unsent(outgoing, now));
    house.pass(SECOND);
    assert_eq!((house.take(0), house.take(0)), (Some(1), None));
}

#[test]
fn s6a_the_more_destinations_fail_the_fewer_places_has_each() {
    let house = House::with_window(WINDOW, 12, &[1], &[]);
    while house.metrics.smsc("a").circuit_open.get() == 0 {
        (100..106).for_each(|number| house.send(number));
        house.answer(0, sick(Trouble::Error));
    }
    house.pass(SECOND);
    let places = |number| std::iter::from_fn(|| house.outbox.reserve(phone(number)).ok()).collect::<Vec<_>>();
    let taken: Vec<_> = (100..106).map(places).collect();
    assert!(taken.iter().all(|places| places.len() <= 4), "of six");
    assert!(!taken[5].is_empty());
}

#[test]
fn s6a_what_comes_all_the_time_does_not_lose_its_turn() {
    let house = blamed_link();
    (0..40).for_each(|_| THROTTLED.into_iter().for_each(|number| house.send(number)));
    let mut taken = Vec::new();
    for _ in 0..40 {
        house.clock.advance(Duration::from_millis(5));
        house.send(100);
        taken.extend(house.take(0));
    }
    let of = |number: u8| taken.iter().filter(|taken| **taken == number).count();
    assert!(THROTTLED.into_iter().all(|number| of(number) >= 9), "{taken:?}");
}

#[test]
fn s6a_what_may_try_is_found_behind_what_may_not() {
    let house = House::with_window(WINDOW, 12, &[1], &[]);
    let (lane, now) = (house.router.lane(0), house.clock.now());
    [100, 101].into_iter().for_each(|number| house.send(number));
    [100, 101, 102, 100, 101]
        .into_iter()
        .for_each(|number| lane.lost(Prefix::of(phone(number), 12), now, now));
    assert_eq!(house.take(0), None);
    house.send(1);
    let probe = house.take_whole(0).unwrap();
    house.send(2);
    assert_eq!(house.take(0), None, "one at a time");
    lane.unanswered(&probe, probe.taken_at, now);
    house.pass(SECOND);
    assert_eq!(house.take(0), Some(2));
}

#[test]
fn s6a_what_fails_and_waits_keeps_its_order_and_holds_up_none_that_may_try() {
    let mut house = House::with_window(WINDOW, 12, &[1], &[]);
    for number in [100, 101, 102, 100, 101] {
        house.send(number);
        let outgoing = house.take_whole(0).unwrap();
        house.router.lane(0).unanswered(&outgoing, house.clock.now(), house.clock.now());
    }
    house.lose(0);
    let now = house.clock.now();
    let put = |number: u8, seconds| {
        house.outbox.reserve(phone(number)).map(|place| place.put(item(number, now.plus(seconds * SECOND))))
    };
    // A try is out, while these come.
    house.bind(0);
    house.send(1);
    let probe = house.take_whole(0).unwrap();
    let waiting = (0..60).filter(|nth| put(10 + nth % 5, 20 + u32::from(*nth)).is_ok()).count();
    assert!(waiting >= 5, "{waiting}");
    assert_eq!(house.take(0), None);
    for second in 1..5 {
        house.pass(SECOND);
        assert_eq!(house.reported(), [], "{second}");
    }
    house.router.lane(0).unanswered(&probe, probe.taken_at, house.clock.now());
    house.pass(SECOND);
    assert_eq!(house.take(0), Some(10), "the first");
}

#[test]
fn s6b_a_busy_network_of_which_an_answer_is_lost_now_and_then_stays_where_it_is() {
    let answered =
        |lost: usize| move |nth: usize, _| (!nth.is_multiple_of(lost)).then_some(Duration::from_millis(190));
    let (slowest, [first, second]) = beside(
        Smscs { count: 2, ..ONE },
        &[100, 101, 102, 103, 104, 105, 106, 107, 108, 109],
        95,
        answered(1_000),
    );
    assert!(slowest <= Duration::from_millis(250), "{slowest:?}");
    assert!(first >= 3_600 && second <= 50, "{first} by the first, {second} by the second");
}

#[tokio::test]
async fn s6a_what_waits_in_turn_goes_at_once_where_nothing_else_does() {
    let house = blamed_link();
    house.all(0);
    // By the link itself,
    house.send(100);
    assert_eq!(house.take(0), Some(100));
    // and by the router, while it is idle.
    house.router.lane(0).set_idle(true);
    house.send(110);
    let item = house.router.lanes().queue.take().unwrap();
    house.router.lanes().place(item, house.clock.now());
    assert!(house.is_woken(0).await);
    assert_eq!(house.take(0), Some(110));
}

#[test]
fn s6a_while_refusals_spread_what_waits_in_turn_waits_as_long_as_its_code_is_good() {
    let mut house = blamed_link();
    house.send(1);
    house.answer(0, |_| None);
    house.pass(TTL / 2);
    house.reported();
    (0..5).for_each(|_| house.send(100));
    assert_eq!(house.take(0), Some(100));
    (0..u32::try_from(TTL.as_secs()).unwrap() / 2).for_each(|_| house.pass(SECOND));
    assert_eq!(house.reported(), []);
}

#[test]
fn s6a_what_fails_elsewhere_costs_a_route_no_places() {
    let routes = [route(&["62812000000", "628120000010"], &["a"]), route(&[""], &["b"])];
    let house = House::with_window(WINDOW, 12, &[1, 1], &routes);
    let now = house.clock.now();
    for (link, numbers) in [(0, 0..9), (1, 100..101)] {
        let circuit_open = || house.metrics.smsc(["a", "b"][link]).circuit_open.get();
        for number in numbers.cycle().take(20).take_while(|_| circuit_open() == 0) {
            house.send(number);
            let outgoing = house.take_whole(link).unwrap();
            house.router.lane(link).failed(&outgoing, now);
        }
        assert_eq!(circuit_open(), 1);
    }
    house.pass(SECOND);
    let places = |number| std::iter::from_fn(|| house.outbox.reserve(phone(number)).ok()).collect::<Vec<_>>();
    let (of_nine, alone) = (places(1), places(100));
    assert!(of_nine.len() <= 4 && alone.len() == 10, "{} and {}", of_nine.len(), alone.len());
}

#[test]
fn s7_what_was_refused_waits_while_its_destination_fails() {
    let house = House::with_window(WINDOW, 12, &[1], &[]);
    let (lane, now) = (house.router.lane(0), house.clock.now());
    [100, 1].into_iter().for_each(|number| house.send(number));
    house.answer(0, |number| Some(if number == 1 { Trouble::Full } else { Trouble::Throttled }));
    // Open for 100 alone, as it is alone.
    (0..5).for_each(|_| lane.lost(Prefix::of(phone(100), 12), now, now));
    assert_eq!(house.metrics.smsc("a").circuit_open.get(), 1);
    house.pass(2 * SECOND);
    assert_eq!(house.all(0), [1]);
}

#[test]
fn s7_what_is_known_not_to_go_through_is_a_probe_only_if_nothing_else_is_there() {
    let house = House::new(&[1], &[]);
    house.send(101);
    house.answer(0, sick(Trouble::Error));
    house.fail(0);
    house.pass(circuit::PAUSE_MIN);
    house.send(102);
    house.send(1);
    let probe = house.take_whole(0).unwrap();
    assert_eq!((probe.item.challenge.0[15], house.take(0)), (1, None));
    house.router.lane(0).failed(&probe, house.clock.now());
    house.pass(2 * circuit::PAUSE_MIN);
    assert_eq!(house.take(0), Some(102));
}

#[test]
fn s6a_full_queues_here_and_there_do_not_make_a_sick_destination_the_link_s_fault() {
    let house = House::new(&[1], &[]);
    for round in 0..40_u8 {
        // Two in ten have a full queue, at two destinations.
        (0..5).for_each(|next| house.send((5 * round + next) % 100));
        (0..5).for_each(|next| house.send(200 + (5 * round + next) % 50));
        house.send(100 + round);
        house.answer(0, |number| match number {
            100..200 => Some(Trouble::Throttled),
            _ if number % 5 == 0 => Some(Trouble::Full),
            _ => None,
        });
        house.pass(Duration::from_millis(100));
        assert!(!matches!(house.router.lane(0).blame(), Blame::Link { .. }), "in round {round}");
    }
}

#[tokio::test(flavor = "local")]
async fn what_finds_no_slot_on_one_link_goes_by_another() {
    let house = House::with_window(20, 11, &[2], &[]);
    house.router.lane(1).set_idle(true);
    (0..40).for_each(|_| house.send(1));
    assert_eq!(house.all(0).len(), 15, "the share of one destination");
    assert!(house.is_woken(1).await);
    house.clock.advance(Duration::from_millis(1));
    assert_eq!(house.all(1).len(), 15);
}

#[test]
fn s7_an_smsc_that_is_tried_out_does_not_get_all_that_waits_for_another() {
    let house = House::new(&[1, 1], &[]);
    house.lose(1);
    house.refuse_for(5, 100..140, Trouble::Throttled);
    house.bind(1);
    house.fail(1);
    for _ in 0..circuit::PAUSE_MIN.as_secs() + 1 {
        house.pass(SECOND);
        house.answer(0, sick(Trouble::Throttled));
    }
    assert!(house.all(1).len() <= 1, "it is half-open");
}

#[test]
fn s7_what_waits_for_sick_destinations_does_not_keep_others_from_trying_an_smsc_out() {
    let house = House::new(&[1], &[]);
    house.refuse_for(3, 100..140, Trouble::Throttled);
    // It fails with all that it gets, but answers.
    for _ in 0..100 {
        if house.metrics.smsc("a").circuit_open.get() == 1 {
            break;
        }
        [1, 201].into_iter().for_each(|number| house.send(number));
        house.answer(0, |number| {
            Some(if number == 1 || number > 200 { Trouble::Error } else { Trouble::Throttled })
        });
    }
    assert_eq!(house.metrics.smsc("a").circuit_open.get(), 1);
    let mut good = 0;
    for number in 10..40 {
        house.pass(SECOND);
        house.send(number);
        good += house.answer(0, sick(Trouble::Throttled)).iter().filter(|number| **number < 100).count();
    }
    assert!(good >= 25, "{good}");
    assert_eq!(house.metrics.smsc("a").circuit_open.get(), 0);
}

#[test]
fn s7_what_was_refused_is_no_probe_while_something_else_is_there() {
    for turn in 0..4 {
        let house = House::new(&[1], &[]);
        (100..110).for_each(|number| house.send(number));
        house.answer(0, sick(Trouble::Throttled));
        (0..turn).for_each(|number| house.send(number));
        assert_eq!(house.answer(0, |_| None).len(), usize::from(turn));
        house.fail(0);
        house.pass(circuit::PAUSE_MIN);
        // Meanwhile it is time for what was refused.
        house.send(1);
        assert_eq!(house.take(0), Some(1), "after {turn}");
    }
}

#[test]
fn what_goes_to_another_smsc_without_having_been_refused_has_all_its_tries_left() {
    let house = House::new(&[1, 1], &[]);
    house.lose(1);
    house.refuse_for(5, 100..120, Trouble::Throttled);
    house.bind(1);
    house.pass(SECOND);
    house.pass(STEADY_AFTER);
    let moved: Vec<_> = std::iter::from_fn(|| house.take_whole(1)).collect();
    assert!(moved.iter().any(|outgoing| outgoing.tries.count == 0 && outgoing.tries.moves == 1));
    assert!(moved.iter().all(|outgoing| outgoing.tries.moves <= 1));
}
