//! Business hours: while it is closed, messages wait.
//!
//! Times are those of the clock on the wall in the zone, so that a day on which it is set forward or back opens and closes
//! when people expect it.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp as Instant};
use model::Timestamp;

/// When it is open.
#[derive(Debug, Clone)]
pub struct Hours {
    /// Where the clock hangs.
    pub zone: TimeZone,
    /// The days on which it opens, Monday first.
    pub days: [bool; 7],
    /// When it opens on those days.
    pub open: Time,
    /// When it closes; at or before `open`, on the day after.
    pub close: Time,
    /// What a sender is told once for each time that it is closed.
    pub reply: Option<String>,
}

/// It is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// The days around today in which the last closing and the next opening are: a week, and one for hours over midnight.
const AROUND: i64 = 8;

impl Hours {
    /// Whether it is closed at `now`. Hours that never open are closed for a week at a time.
    pub fn closed(&self, now: Timestamp) -> Option<Closed> {
        let now_millis = now.as_millis();
        let today = Instant::from_millisecond(now_millis)
            .ok()?
            .to_zoned(self.zone.clone())
            .date();
        let week = 7 * 24 * 3_600_000;
        let mut closed = Closed {
            since: Timestamp::from_millis(now_millis - week),
            until: Timestamp::from_millis(now_millis + week),
        };
        for days in -AROUND..=AROUND {
            let Some((open, close)) = self.on(today, days) else {
                continue;
            };
            if open <= now && now < close {
                return None;
            }
            if close <= now {
                closed.since = closed.since.max(close);
            }
            if open > now {
                closed.until = closed.until.min(open);
            }
        }
        Some(closed)
    }

    /// From when to when it is open on a day, counted from `today`.
    fn on(&self, today: Date, days: i64) -> Option<(Timestamp, Timestamp)> {
        let day = today.checked_add(Span::new().days(days)).ok()?;
        let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).ok()?;
        if !*self.days.get(weekday)? {
            return None;
        }
        let last = if self.close > self.open {
            day
        } else {
            day.tomorrow().ok()?
        };
        Some((self.at(day, self.open)?, self.at(last, self.close)?))
    }

    fn at(&self, day: Date, time: Time) -> Option<Timestamp> {
        let zoned = day.to_datetime(time).to_zoned(self.zone.clone()).ok()?;
        Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    const WORKDAYS: [bool; 7] = [true, true, true, true, true, false, false];

    fn hours(days: [bool; 7], open: Time, close: Time) -> Hours {
        Hours {
            // Central Europe, written out: one hour ahead, two from March to October.
            zone: TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap(),
            days,
            open,
            close,
            reply: None,
        }
    }

    fn at(hours: &Hours, day: Date, hour: i8, minute: i8) -> Timestamp {
        hours.at(day, time(hour, minute, 0, 0)).unwrap()
    }

    #[test]
    fn open_from_the_minute_it_opens_to_the_minute_it_closes() {
        let office = hours(WORKDAYS, time(9, 0, 0, 0), time(18, 0, 0, 0));
        let wednesday = date(2026, 9, 2);
        for (hour, minute, open) in [(8, 59, false), (9, 0, true), (17, 59, true), (18, 0, false)] {
            let closed = office.closed(at(&office, wednesday, hour, minute));
            assert_eq!(closed.is_none(), open, "{hour}:{minute}");
        }
    }

    #[test]
    fn a_weekend_lasts_from_friday_evening_to_monday_morning() {
        let office = hours(WORKDAYS, time(9, 0, 0, 0), time(18, 0, 0, 0));
        let saturday = at(&office, date(2026, 9, 5), 12, 0);
        let weekend = Closed {
            since: at(&office, date(2026, 9, 4), 18, 0),
            until: at(&office, date(2026, 9, 7), 9, 0),
        };
        assert_eq!(office.closed(saturday), Some(weekend));
    }

    #[test]
    fn hours_may_go_over_midnight() {
        let bar = hours([true; 7], time(18, 0, 0, 0), time(2, 0, 0, 0));
        let (day, next) = (date(2026, 9, 2), date(2026, 9, 3));
        assert_eq!(bar.closed(at(&bar, day, 23, 0)), None);
        assert_eq!(bar.closed(at(&bar, next, 1, 59)), None);
        let closed = bar.closed(at(&bar, next, 2, 0)).unwrap();
        assert_eq!(closed.until, at(&bar, next, 18, 0));
    }

    #[test]
    fn the_clock_on_the_wall_counts_when_it_is_set_forward() {
        let early = hours([true; 7], time(6, 0, 0, 0), time(20, 0, 0, 0));
        // The night of 29 March 2026 has one hour less.
        let evening = at(&early, date(2026, 3, 28), 20, 0);
        let closed = early.closed(evening).unwrap();
        assert_eq!(closed.until.since(evening).as_secs(), 9 * 3600);
    }
}
