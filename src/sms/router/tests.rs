use super::smsc::STEADY_AFTER;
use super::*;
use crate::clock::Timestamp;
use crate::metrics::SubmitOutcome;
use crate::sms::outbox::tests::{item, phone};
use crate::sms::outbox::{Outbox, outbox};
use crate::sms::route::table::Table;
use crate::subscriber::admission::Unavailable;

const START: Timestamp = Timestamp::from_unix_millis(1_795_338_900_000);
const TTL: Duration = Duration::from_secs(180);
const SECOND: Duration = Duration::from_secs(1);

/// Routes, an outbox before them, and links that do what the test says.
struct House {
    outbox: Outbox,
    router: Rc<Router>,
    clock: Clock,
    metrics: Arc<Metrics>,
    sender: mpsc::Sender<DeliveryReport>,
    reports: mpsc::Receiver<DeliveryReport>,
}

impl House {
    /// SMSCs `a`, `b`, … with this many links each; all links are bound.
    fn new(links: &[usize], routes: &[String]) -> Self {
        let clock = Clock::manual(START);
        let metrics = Arc::new(Metrics::new());
        let names = &["a", "b", "c"][..links.len()];
        let table = table(routes, names).unwrap();
        let (outbox, queue) = outbox(1_000, table, clock.clone(), &metrics);
        let smscs = links.iter().zip(names).map(|(count, name)| (*count, metrics.smsc(name)));
        let router = Router::new(queue, smscs, clock.clone(), Arc::clone(&metrics));
        let (sender, reports) = mpsc::channel(100);
        let house = Self { outbox, router, clock, metrics, sender, reports };
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
        let lane = self.router.lane(0);
        lane.failover(&outgoing, self.clock.now()).map(|failover| failover.send(outgoing)).is_some()
    }

    /// All that a link can take.
    fn all(&self, link: usize) -> Vec<u8> {
        std::iter::from_fn(|| self.take(link)).collect()
    }

    fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
        self.router.on_time(&self.sender);
    }

    fn fail(&self, link: usize) {
        (0..5).for_each(|_| self.router.lane(link).failed(self.clock.now(), self.clock.now()));
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
    settings::from_toml(&routes.concat(), |root| Some(Table::read(root, names)))
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
fn a_route_that_cannot_be_followed_is_refused_by_name() {
    let refused = |routes: &[String]| table(routes, &["a", "b"]).unwrap_err().to_string();
    for (route, expected) in [
        (route(&["", "x"], &["a"]), "2:17: route[0].prefixes[1]: found \"x\", allowed up to 15 digits"),
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
    for probe in [5, 7, 9] {
        house.send(probe);
        house.send(probe + 1);
        assert_eq!((house.all(0), house.all(1)), (vec![probe], vec![probe + 1]));
        house.router.lane(0).succeeded(house.clock.now());
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
    assert_eq!(house.all(0), [1]);
    house.router.lane(0).unsent(house.clock.now());
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
    assert!(outgoing.refused);
    // Without the other SMSC: another link of the same.
    house.lose(2);
    assert!(house.fail_over(outgoing));
    assert_eq!(house.take(0), None);
    let outgoing = house.take_whole(1).unwrap();
    // Without another link: nowhere.
    house.lose(1);
    assert!(!house.fail_over(outgoing));
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
    assert_eq!(house.metrics.sms.submits.of(SubmitOutcome::Dropped).get(), 2);
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
