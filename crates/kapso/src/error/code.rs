//! WhatsApp's and Kapso's error codes, and what each means for the message (kapso.md 2.10).

use std::ops::RangeInclusive;
use std::time::Duration;

use super::Class;

/// One line of the table.
pub(super) struct Row {
    codes: RangeInclusive<i64>,
    /// What it means and, where the operator must act, what to look at.
    pub(super) meaning: &'static str,
    pub(super) class: Class,
}

/// For limits of the app and of the account, which are counted over minutes.
const MINUTES: Class = Class::RetryAfter(Duration::from_secs(120));
/// Too many messages to one person (kapso.md 2.10).
pub(super) const PAIR_LIMIT: i64 = 131_056;
/// One message to one person every six seconds (kapso.md 2.11).
const PAIR: Class = Class::RetryAfter(Duration::from_secs(6));
/// A number that is held for spam recovers within hours or not at all.
const HOURS: Class = Class::RetryAfter(Duration::from_secs(3600));

const fn row(code: i64, meaning: &'static str, class: Class) -> Row {
    rows(code..=code, meaning, class)
}

const fn rows(codes: RangeInclusive<i64>, meaning: &'static str, class: Class) -> Row {
    Row {
        codes,
        meaning,
        class,
    }
}

/// The first row that holds a code counts: single codes stand above the ranges around them.
const TABLE: &[Row] = &[
    // Passing trouble.
    row(1, "unknown API error", Class::Retryable),
    row(2, "service down or overloaded", Class::Retryable),
    row(4, "call rate limit of the app", MINUTES),
    row(80007, "rate limit of the account", MINUTES),
    row(130_429, "throughput limit of the number", Class::Retryable),
    row(131_048, "number restricted for spam", HOURS),
    row(PAIR_LIMIT, "too many messages to this person", PAIR),
    row(
        131_000,
        "something went wrong at WhatsApp",
        Class::Retryable,
    ),
    row(131_016, "service unavailable", Class::Retryable),
    row(131_057, "account in maintenance", MINUTES),
    row(133_004, "server unavailable", Class::Retryable),
    row(2_494_100, "number in maintenance", MINUTES),
    row(131_208, "rate limit of the group", MINUTES),
    // Nothing goes until somebody acts.
    row(
        0,
        "token invalid: reconnect the number in Kapso",
        Class::Operator,
    ),
    row(
        190,
        "token invalid: reconnect the number in Kapso",
        Class::Operator,
    ),
    row(3, "permission missing", Class::Operator),
    row(10, "permission missing", Class::Operator),
    rows(200..=299, "permission missing", Class::Operator),
    row(131_005, "permission missing", Class::Operator),
    row(368, "account restricted by WhatsApp", Class::Operator),
    row(131_031, "account locked by WhatsApp", Class::Operator),
    row(130_497, "country restricted by WhatsApp", Class::Operator),
    row(131_037, "display name not approved", Class::Operator),
    row(131_042, "payment problem of the account", Class::Operator),
    row(131_045, "number not registered", Class::Operator),
    rows(
        133_000..=133_016,
        "registration of the number",
        Class::Operator,
    ),
    // This message will not go.
    row(131_047, "window of 24 hours closed", Class::WindowClosed),
    row(
        131_026,
        "cannot be delivered to this person",
        Class::Permanent,
    ),
    row(131_049, "held back by WhatsApp", Class::Permanent),
    row(131_050, "person stopped marketing", Class::Permanent),
    row(130_472, "person is in an experiment", Class::Permanent),
    row(131_021, "recipient is the sender", Class::Permanent),
    row(131_051, "type not supported", Class::Permanent),
    row(131_008, "parameter missing", Class::Permanent),
    row(131_009, "parameter not valid", Class::Permanent),
    row(100, "parameter not valid", Class::Permanent),
    row(33, "number deleted", Class::Permanent),
    row(135_000, "parameters not valid", Class::Permanent),
    row(131_052, "media could not be fetched", Class::Permanent),
    row(131_053, "media not supported", Class::Permanent),
    row(131_055, "method not allowed", Class::Permanent),
    row(131_062, "not possible for a user id", Class::Permanent),
    rows(132_000..=132_069, "template or flow", Class::Permanent),
    rows(
        134_100..=134_102,
        "marketing messages only",
        Class::Permanent,
    ),
    row(131_020, "group of a single member", Class::Permanent),
    row(131_041, "unknown group", Class::Permanent),
    row(131_059, "cursor not valid", Class::Permanent),
    rows(131_201..=131_215, "groups", Class::Permanent),
    row(1026, "person's phone cannot receive it", Class::Permanent),
    // Something of the kind was taken before: the list knows.
    row(1_752_041, "duplicate request", Class::Unknown),
];

/// The row of a number.
pub(super) fn numbered(code: i64) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.codes.contains(&code))
}

/// The wait before repetition number `repeat` to one person: four seconds, then four times as long each time, up to
/// 256 s (kapso.md 2.10). What was borrowed from the limit, 45 messages at six seconds each, is then nearly paid back.
pub(super) fn pair_wait(repeat: u32) -> Duration {
    Duration::from_secs(4_u64.pow(repeat.clamp(1, 4)))
}

/// The class of one of Kapso's own words.
pub(super) fn named(name: &str) -> Option<Class> {
    match name {
        "marketing_preference_stopped" | "messaging_account_mismatch" => Some(Class::Permanent),
        "insufficient_credits" | "unsupported_currency" => Some(Class::Operator),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_hidden_behind_another() {
        for (at, row) in TABLE.iter().enumerate() {
            let code = row.codes.start();
            let first = TABLE.iter().position(|row| row.codes.contains(code));
            assert_eq!(first, Some(at), "{code}");
        }
    }

    #[test]
    fn the_waits_for_one_person_grow_and_stay_sensible() {
        let waits = [0, 1, 2, 3, 4, 5, u32::MAX].map(|repeat| pair_wait(repeat).as_secs());
        assert_eq!(waits, [4, 4, 16, 64, 256, 256, 256]);
    }

    #[test]
    fn single_codes_stand_out_of_their_ranges() {
        let class = |code| numbered(code).unwrap().class;
        assert_eq!(class(133_004), Class::Retryable);
        assert_eq!(class(133_010), Class::Operator);
        assert_eq!(class(131_208), MINUTES);
        assert_eq!(class(131_204), Class::Permanent);
        assert!(numbered(999_999).is_none());
    }
}
