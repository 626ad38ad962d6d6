//! What the rules hold back, and when.

use config::Config;
use jiff::civil::time;
use jiff::tz::TimeZone;
use model::Identity;

use crate::{Setup, problem, problems};

fn load(text: &str) -> Config {
    Setup::new().load_text(text).unwrap()
}

#[test]
fn nothing_is_held_back_unless_it_is_configured() {
    let rules = load("").rules;
    assert!(rules.admin.is_none() && rules.hours.is_none());
    for words in [rules.forbidden, rules.escalate, rules.approve] {
        assert!(words.words.is_empty() && words.reply.is_none());
    }
}

#[test]
fn words_have_a_reply_of_their_own() {
    let text = "[rules]\nadmin = \"+54 9 11 5555-1234\"\nforbidden = [\"a b\", \"c\"]\nforbidden_reply = \"No.\"\n\
                escalate = \"human\"\napprove = [\"refund\"]\n";
    let rules = load(text).rules;
    assert_eq!(rules.admin, Some(Identity::new("+541155551234").unwrap()));
    assert_eq!(rules.forbidden.words, ["a b", "c"]);
    assert_eq!(rules.forbidden.reply.as_deref(), Some("No."));
    assert_eq!(
        (rules.escalate.words, rules.approve.words),
        (vec!["human".to_owned()], vec!["refund".to_owned()])
    );
}

#[test]
fn rules_are_checked() {
    assert!(
        problem("[rules]\nadmin = \"ann\"\n")
            .starts_with("2: rules.admin has \"ann\", which is neither")
    );
    assert_eq!(
        problem("[rules]\nforbidden = [\"a\", \" \"]\n"),
        "2: rules.forbidden has an empty word, which every message contains; remove it"
    );
    assert!(
        problem("[rules]\napprove = [5]\n")
            .contains("rules.approve is the number 5; write it in quotes")
    );
    assert!(
        problem("[rules]\nforbiden = [\"a\"]\n").ends_with("the nearest one is rules.forbidden")
    );
    let unheard = load("[rules]\nescalate = [\"human\"]\n").warnings;
    assert!(
        unheard
            .iter()
            .any(|warning| warning.key == "rules.escalate"),
        "{unheard:?}"
    );
    let heard = load("[rules]\nescalate = [\"human\"]\nadmin = \"US.1\"\n").warnings;
    assert!(
        !heard.iter().any(|warning| warning.key == "rules.escalate"),
        "{heard:?}"
    );
}

/// Business hours with these lines besides what they need.
fn hours(lines: &str) -> String {
    format!(
        "[rules.hours]\nzone = \"Europe/Madrid\"\nopen = \"09:00\"\nclose = \"18:30\"\n{lines}\n"
    )
}

#[test]
fn business_hours_have_a_zone_days_and_times() {
    let every_day = load(&hours("")).rules.hours.unwrap();
    assert_eq!(every_day.zone, TimeZone::get("Europe/Madrid").unwrap());
    assert_eq!(every_day.days, [true; 7]);
    assert_eq!(
        (every_day.open, every_day.close),
        (time(9, 0, 0, 0), time(18, 30, 0, 0))
    );
    let some = load(&hours("days = [\"Mon\", \"sun\"]\nreply = \"Later.\""))
        .rules
        .hours
        .unwrap();
    assert_eq!(some.days, [true, false, false, false, false, false, true]);
    assert_eq!(some.reply.as_deref(), Some("Later."));
    let night = hours("")
        .replace("09:00", "22:00")
        .replace("18:30", "06:00");
    assert!(load(&night).rules.hours.is_some(), "over midnight");
}

#[test]
fn the_bundled_zones_do_without_the_hosts() {
    let bundled = jiff::tz::TimeZoneDatabase::bundled();
    assert!(bundled.get("America/Argentina/Buenos_Aires").is_ok());
}

#[test]
fn k2_an_unknown_zone_or_day_names_the_nearest() {
    let zone = |name: &str| problem(&hours("").replace("Europe/Madrid", name));
    let shown = zone("America/Argentina/Buenos_Airs");
    assert!(
        shown.starts_with(
            "2: rules.hours.zone is \"America/Argentina/Buenos_Airs\", which is not a time zone; "
        ) && shown.ends_with("the nearest one is America/Argentina/Buenos_Aires"),
        "{shown}"
    );
    assert!(
        zone("Madird").ends_with("the nearest one is Europe/Madrid"),
        "the region may be missing"
    );
    assert_eq!(
        problem(&hours("days = [\"mon\",\n\"tueday\"]")),
        "6: rules.hours.days is \"tueday\", which is not known; write one of mon, tue, wed, thu, fri, sat, sun; the \
         nearest one is tue"
    );
    assert!(problem(&hours("days = []")).contains("is empty, so it would never open"));
}

#[test]
fn business_hours_that_cannot_be_are_refused() {
    let close = |text: &str| problem(&hours("").replace("\"18:30\"", text));
    assert_eq!(
        close("\"09:00\""),
        "4: rules.hours.close is 09:00, as open is; write another time, or remove [rules.hours]"
    );
    for bad in ["\"24:00\"", "\"noon\"", "18:30:00", "1830"] {
        let shown = close(bad);
        assert!(
            shown.starts_with("4: rules.hours.close is ")
                && shown.contains("write hours and minutes in quotes"),
            "{shown}"
        );
    }
    let missing: Vec<_> = problems("[rules.hours]\nreply = \"x\"\n")
        .into_iter()
        .map(|problem| problem.key)
        .collect();
    assert_eq!(
        missing,
        ["rules.hours.zone", "rules.hours.open", "rules.hours.close"]
    );
    assert!(problem("rules.hours = 5\n").contains("rules.hours is a section"));
}
