//! The plan's requests per minute, so that the bridge stops before Kapso stops it (kapso.md 1.5).
//!
//! Kapso counts the requests of an API key in fixed minutes that nobody outside knows the beginning of. Our own
//! requests are therefore counted over the last 60 seconds, which no fixed minute can exceed; what others do with the
//! same key is learned from the headers of each answer. The meter never waits, it only says how long to.

use std::time::Duration;

use reqwest::header::HeaderMap;
use tokio::time::Instant;

use crate::Call;

/// The length of Kapso's window.
const MINUTE: Duration = Duration::from_secs(60);

/// The second that is now and the 60 before it: a request is counted for 60 to 61 seconds.
const SECONDS: usize = 61;

/// The plan's requests per minute, and how many of them are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Requests that the plan allows per minute.
    pub limit: u32,
    /// How many of them may still be made now, by our count and Kapso's, whichever is stricter.
    pub remaining: u32,
}

/// What an answer's headers say about the limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) limit: Option<u32>,
    pub(crate) remaining: Option<u32>,
}

impl Told {
    pub(crate) fn read(headers: &HeaderMap) -> Self {
        // Some gateways append the window, as in `100, 100;w=60`.
        let number = |name: &str| {
            let text = headers.get(name)?.to_str().ok()?.trim();
            let end = text.find(|c: char| !c.is_ascii_digit());
            text[..end.unwrap_or(text.len())].parse().ok()
        };
        Self {
            limit: number("x-ratelimit-limit"),
            remaining: number("x-ratelimit-remaining"),
        }
    }
}

/// Counts requests and remembers what Kapso said about them.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Where the seconds are counted from.
    start: Instant,
    /// Our requests per second; each second has its place, which a later one takes over.
    seconds: [Second; SECONDS],
    limit: Option<u32>,
    account: Option<Account>,
    /// Nothing may go before this, because Kapso said so.
    closed_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Second {
    number: u64,
    requests: u32,
}

/// Kapso's count.
#[derive(Debug)]
struct Account {
    /// The requests of the key in the minute of the answer.
    used: u32,
    /// Our requests since.
    since: u32,
    at: Instant,
}

impl Meter {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            start: now,
            seconds: [Second::default(); SECONDS],
            limit: None,
            account: None,
            closed_until: None,
        }
    }

    /// A request of ours goes out.
    pub(crate) fn count(&mut self, now: Instant) {
        let number = self.second(now);
        let second = &mut self.seconds[place(number)];
        if second.number != number {
            *second = Second {
                number,
                requests: 0,
            };
        }
        second.requests = second.requests.saturating_add(1);
        if let Some(account) = &mut self.account {
            account.since = account.since.saturating_add(1);
        }
    }

    /// An answer came.
    pub(crate) fn learn(&mut self, told: Told, now: Instant) {
        self.limit = told.limit.filter(|limit| *limit > 0).or(self.limit);
        if let (Some(limit), Some(remaining)) = (self.limit, told.remaining) {
            self.account = Some(Account {
                used: limit.saturating_sub(remaining),
                since: 0,
                at: now,
            });
        }
    }

    /// Kapso refused a request because the minute is used up, and wants to be left alone for `wait`.
    pub(crate) fn close(&mut self, wait: Duration, now: Instant) {
        self.closed_until = Some(now + wait).max(self.closed_until);
    }

    /// How long until a request of the kind of `call` may go; none when it may go now.
    pub(crate) fn wait_for(&self, call: Call, now: Instant) -> Option<Duration> {
        let most = self.limit.map(|limit| share(call, limit));
        let free = [
            self.closed_until,
            most.and_then(|most| self.own_falls_below(most, now)),
            most.and_then(|most| self.account_falls_below(most)),
        ];
        let wait = free.into_iter().flatten().max()? - now;
        (!wait.is_zero()).then_some(wait)
    }

    /// What is left of the limit; none as long as Kapso has not told it.
    pub(crate) fn quota(&self, now: Instant) -> Option<Quota> {
        let limit = self.limit?;
        let of_key = self.account.as_ref().filter(|it| it.at + MINUTE > now);
        let used = self.own(now).max(of_key.map_or(0, Account::total));
        let closed = self.closed_until.is_some_and(|until| until > now);
        Some(Quota {
            limit,
            remaining: if closed {
                0
            } else {
                limit.saturating_sub(used)
            },
        })
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_secs()
    }

    /// The seconds that count at `now`, the oldest first.
    fn counted(&self, now: Instant) -> impl Iterator<Item = Second> {
        let last = self.second(now);
        let first = last.saturating_sub(MINUTE.as_secs());
        let second = |number| self.seconds[place(number)];
        (first..=last)
            .map(move |number| (number, second(number)))
            .filter_map(|(number, second)| (second.number == number).then_some(second))
    }

    fn own(&self, now: Instant) -> u32 {
        let requests = self.counted(now).map(|second| second.requests);
        requests.fold(0, u32::saturating_add)
    }

    /// When fewer than `most` of our requests count; none when that is so now.
    fn own_falls_below(&self, most: u32, now: Instant) -> Option<Instant> {
        let mut over = (self.own(now) + 1).checked_sub(most).filter(|it| *it > 0)?;
        for second in self.counted(now) {
            over = over.saturating_sub(second.requests);
            if over == 0 {
                let gone = Duration::from_secs(second.number) + MINUTE + Duration::from_secs(1);
                return Some(self.start + gone);
            }
        }
        None
    }

    /// When Kapso's own count is over, if it has reached `most`.
    fn account_falls_below(&self, most: u32) -> Option<Instant> {
        let account = self.account.as_ref().filter(|it| it.total() >= most)?;
        Some(account.at + MINUTE)
    }
}

impl Account {
    fn total(&self) -> u32 {
        self.used.saturating_add(self.since)
    }
}

fn place(second: u64) -> usize {
    (second % SECONDS as u64) as usize
}

/// How much of the limit requests of this kind may use up. What can be left out stops first, and something is always
/// left for sending; the last bit is for what others do with the key.
fn share(call: Call, limit: u32) -> u32 {
    let percent = match call {
        Call::Mark => 60,
        Call::List | Call::Media | Call::Webhook => 90,
        Call::Send => 98,
    };
    let share = u64::from(limit) * percent / 100;
    u32::try_from(share).unwrap_or(limit).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: Told = Told {
        limit: Some(100),
        remaining: None,
    };

    fn at(start: Instant, seconds: f64) -> Instant {
        start + Duration::from_secs_f64(seconds)
    }

    /// A meter that knows the limit, with `requests` of ours at `now`.
    fn busy(now: Instant, requests: usize) -> Meter {
        let mut meter = Meter::new(now);
        meter.learn(FREE, now);
        (0..requests).for_each(|_| meter.count(now));
        meter
    }

    fn waits(meter: &Meter, now: Instant) -> [Option<f64>; 3] {
        [Call::Mark, Call::List, Call::Send].map(|call| {
            let wait = meter.wait_for(call, now);
            wait.map(|wait| wait.as_secs_f64())
        })
    }

    #[test]
    fn before_the_limit_is_known_nothing_waits() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        (0..10_000).for_each(|_| meter.count(start));
        assert_eq!(waits(&meter, start), [None; 3]);
        assert_eq!(meter.quota(start), None);
    }

    #[test]
    fn what_can_be_left_out_stops_first() {
        let start = Instant::now();
        assert_eq!(waits(&busy(start, 59), start), [None; 3]);
        assert_eq!(waits(&busy(start, 60), start), [Some(61.0), None, None]);
        assert_eq!(
            waits(&busy(start, 90), start),
            [Some(61.0), Some(61.0), None]
        );
        assert_eq!(waits(&busy(start, 97), start)[2], None);
        assert_eq!(waits(&busy(start, 98), start), [Some(61.0); 3]);
    }

    #[test]
    fn the_wait_ends_when_enough_old_requests_are_out_of_the_minute() {
        let start = Instant::now();
        let mut meter = busy(start, 50);
        (0..50).for_each(|_| meter.count(at(start, 10.5)));
        // One of the first second's requests is enough for sending, all 50 are needed for marking.
        let now = at(start, 20.0);
        assert_eq!(waits(&meter, now), [Some(41.0), Some(41.0), Some(41.0)]);
        assert_eq!(waits(&meter, at(start, 61.0)), [None; 3]);
        (0..20).for_each(|_| meter.count(at(start, 61.0)));
        assert_eq!(
            waits(&meter, at(start, 61.0)),
            [Some(10.0), None, None],
            "70 are counted, until the 50 of second 10 are over"
        );
    }

    #[test]
    fn no_minute_however_it_lies_sees_more_than_the_share() {
        let start = Instant::now();
        let mut meter = busy(start, 0);
        let mut sent: Vec<Instant> = Vec::new();
        let mut now = start;
        while sent.len() < 1_000 {
            match meter.wait_for(Call::Send, now) {
                Some(wait) => now += wait,
                None => {
                    meter.count(now);
                    sent.push(now);
                    now += Duration::from_millis(137);
                }
            }
        }
        let crowded = sent.windows(99).find(|it| it[98] - it[0] <= MINUTE);
        assert_eq!(crowded, None);
        let took = *sent.last().unwrap() - start;
        assert!(took < MINUTE * 11, "waited more than needed: {took:?}");
    }

    #[test]
    fn a_request_late_in_its_second_counts_for_a_whole_minute() {
        let start = Instant::now();
        let mut meter = busy(start, 0);
        (0..97).for_each(|_| meter.count(at(start, 0.9)));
        assert_eq!(waits(&meter, at(start, 60.2))[2], None);
        meter.count(at(start, 60.2));
        assert_eq!(waits(&meter, at(start, 60.5)), [Some(0.5); 3]);
        assert_eq!(waits(&meter, at(start, 61.0)), [None; 3]);
    }

    #[test]
    fn what_others_use_counts_until_their_minute_is_over() {
        let start = Instant::now();
        let mut meter = busy(start, 1);
        let told = Told {
            remaining: Some(3),
            ..FREE
        };
        meter.learn(told, at(start, 5.0));
        let quota = |remaining| {
            Some(Quota {
                limit: 100,
                remaining,
            })
        };
        assert_eq!(meter.quota(at(start, 5.0)), quota(3));
        assert_eq!(
            waits(&meter, at(start, 6.0)),
            [Some(59.0), Some(59.0), None]
        );
        meter.count(at(start, 6.0));
        assert_eq!(waits(&meter, at(start, 6.0))[2], Some(59.0));
        assert_eq!(waits(&meter, at(start, 65.0)), [None; 3]);
        assert_eq!(meter.quota(at(start, 65.0)), quota(99));
    }

    #[test]
    fn a_new_minute_is_believed_as_soon_as_it_is_told() {
        let start = Instant::now();
        let mut meter = busy(start, 1);
        let told = |remaining| Told {
            remaining: Some(remaining),
            ..FREE
        };
        meter.learn(told(0), start);
        assert_eq!(waits(&meter, start), [Some(60.0); 3]);
        meter.learn(told(99), at(start, 2.0));
        assert_eq!(waits(&meter, at(start, 2.0)), [None; 3]);
    }

    #[test]
    fn a_refusal_closes_for_everything_even_without_a_limit() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        meter.close(Duration::from_secs(60), start);
        meter.close(Duration::from_secs(5), start);
        assert_eq!(waits(&meter, at(start, 20.0)), [Some(40.0); 3]);
        assert_eq!(waits(&meter, at(start, 60.0)), [None; 3]);
        meter.learn(FREE, start);
        let closed = meter.quota(at(start, 20.0)).map(|it| it.remaining);
        assert_eq!(closed, Some(0));
    }

    #[test]
    fn a_limit_of_one_still_lets_something_through() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let told = Told {
            limit: Some(1),
            remaining: Some(1),
        };
        meter.learn(told, start);
        assert_eq!(waits(&meter, start), [None; 3]);
        meter.count(start);
        assert_eq!(waits(&meter, start), [Some(61.0); 3]);
    }

    #[test]
    fn headers_are_read_leniently() {
        let read = |limit: &str, remaining: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-ratelimit-limit", limit.parse().unwrap());
            headers.insert("x-ratelimit-remaining", remaining.parse().unwrap());
            let told = Told::read(&headers);
            (told.limit, told.remaining)
        };
        assert_eq!(read("100", " 99 "), (Some(100), Some(99)));
        assert_eq!(read("100, 100;w=60", "0"), (Some(100), Some(0)));
        assert_eq!(read("many", "-1"), (None, None));
        assert_eq!(read("99999999999", ""), (None, None));
        assert_eq!(Told::read(&HeaderMap::new()), Told::default());
    }
}
