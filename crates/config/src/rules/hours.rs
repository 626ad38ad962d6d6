//! `[rules.hours]`: when messages are handed over.

use jiff::civil::Time;
use jiff::tz::{TimeZone, TimeZoneDatabase, db};

use crate::draft::Draft;
use crate::key::{Key, Preset};
use crate::nearest;
use crate::problem::Wrong;
use crate::raw::Value;
use crate::read;
use crate::show::Shown;

pub(crate) static ZONE: Key = Key::new(
    "rules.hours.zone",
    &[],
    Preset::Nothing,
    "the time zone of business hours, such as `America/Argentina/Buenos_Aires`; required with them",
);

pub(crate) static DAYS: Key = Key::new(
    "rules.hours.days",
    &[],
    Preset::Nothing,
    "the days that they begin on, as `mon` to `sun`; all, unless set",
);

pub(crate) static OPEN: Key = Key::new(
    "rules.hours.open",
    &[],
    Preset::Nothing,
    "the time from which messages are handed over, such as `09:00`; required with them",
);

pub(crate) static CLOSE: Key = Key::new(
    "rules.hours.close",
    &[],
    Preset::Nothing,
    "the time from which they wait; before `open` it is that of the next day; required with them",
);

pub(crate) static REPLY: Key = Key::new(
    "rules.hours.reply",
    &[],
    Preset::Nothing,
    "what is said, once for each time that it is closed, to who writes then",
);

const DAY_NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// When messages are handed over. Outside of it they wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// Where the times hold.
    pub zone: TimeZone,
    /// The days on which it opens, Monday first.
    pub days: [bool; 7],
    /// From when on messages are handed over.
    pub open: Time,
    /// From when on they wait. Before `open` it is a time of the day after; it is never `open` itself.
    pub close: Time,
    /// What is said once to who writes while it is closed.
    pub reply: Option<String>,
}

impl Hours {
    pub(super) fn check(draft: &mut Draft<'_>) -> Option<Self> {
        let top = &draft.raw().top;
        let keys = [&ZONE, &DAYS, &OPEN, &CLOSE, &REPLY];
        let first = keys.into_iter().find_map(|key| top.get(key))?;
        for key in [&ZONE, &OPEN, &CLOSE] {
            if top.get(key).is_none() {
                let remedy = "business hours need zone, open and close";
                let origin = Some(first.origin.clone());
                draft.problem(key.path, origin, Wrong::new("is not set", remedy));
            }
        }
        let zone = draft.get(&ZONE, zone);
        let days = days(draft);
        let open = draft.get(&OPEN, time);
        let close = draft.get(&CLOSE, |value| match time(value)? {
            close if Some(close) == open => {
                let what = format!("is {}, as open is", hours_and_minutes(close));
                Err(Wrong::new(
                    what,
                    "write another time, or remove [rules.hours]",
                ))
            }
            close => Ok(close),
        });
        let reply = draft.get(&REPLY, read::text);
        Some(Self {
            zone: zone?,
            days,
            open: open?,
            close: close?,
            reply,
        })
    }

    pub(super) fn show(&self, shown: &mut Shown) {
        shown.maybe(&ZONE, self.zone.iana_name().map(str::to_owned).as_ref());
        let days = DAY_NAMES.into_iter().zip(self.days);
        let open: Vec<&str> = days.filter_map(|(day, open)| open.then_some(day)).collect();
        shown.list(&DAYS, &open);
        shown.text(&OPEN, &hours_and_minutes(self.open));
        shown.text(&CLOSE, &hours_and_minutes(self.close));
        shown.maybe(&REPLY, self.reply.as_ref());
    }
}

/// The days that are listed, or all.
fn days(draft: &mut Draft<'_>) -> [bool; 7] {
    let top = &draft.raw().top;
    let Some(written) = top.get(&DAYS) else {
        return [true; 7];
    };
    if matches!(&written.value, Value::List(list) if list.is_empty()) {
        let wrong = Wrong::new(
            "is empty, so it would never open",
            "list the days, or remove it",
        );
        draft.problem(DAYS.path, Some(written.origin.clone()), wrong);
    }
    let mut open = [false; 7];
    for listed in draft.list(top, &DAYS, day) {
        for (day, open) in DAY_NAMES.iter().zip(&mut open) {
            *open |= *day == listed;
        }
    }
    open
}

fn day(value: &Value) -> Result<&'static str, Wrong> {
    read::choice(&DAY_NAMES.map(|day| (day, day)))(value)
}

fn zone(value: &Value) -> Result<TimeZone, Wrong> {
    let text = read::text(value)?;
    let name = text.trim();
    // The host's rules are the newer ones; a slim host does not have every zone.
    let known = db()
        .get(name)
        .or_else(|_unknown| TimeZoneDatabase::bundled().get(name));
    known.map_err(|_unknown| {
        let names: Vec<String> = db().available().map(|name| name.to_string()).collect();
        let places = names.iter().map(|zone| place(zone, name.contains('/')));
        let nearest = nearest::of(name, places).unwrap_or_default();
        let whole = names.iter().find(|zone| zone.ends_with(nearest));
        let nearest = whole.map_or(nearest, String::as_str);
        Wrong::new(
            format!("is {}, which is not a time zone", read::quoted(name)),
            format!("write a name such as Europe/Madrid; the nearest one is {nearest}"),
        )
    })
}

/// What to compare of a zone's name: who writes no region knows the place.
fn place(zone: &str, with_region: bool) -> &str {
    match zone.rsplit_once('/') {
        Some((_, place)) if !with_region => place,
        Some(_) | None => zone,
    }
}

/// A time of the day, in hours and minutes.
fn time(value: &Value) -> Result<Time, Wrong> {
    let wrong = |what: String| {
        Wrong::new(
            what,
            "write hours and minutes in quotes, from \"00:00\" to \"23:59\"",
        )
    };
    let (Value::Text(text) | Value::Word(text)) = value else {
        return Err(wrong(read::found(value)));
    };
    Time::strptime("%H:%M", text.trim())
        .map_err(|_invalid| wrong(format!("is {}, which is not a time", read::quoted(text))))
}

fn hours_and_minutes(time: Time) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}
