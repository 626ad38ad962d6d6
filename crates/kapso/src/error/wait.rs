//! `Retry-After`: seconds, or a date.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use model::Timestamp;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// The longest wait that a server may ask for; a wrong clock must not silence the bridge for a year.
const LONGEST: Duration = Duration::from_secs(3600);

/// The shortest: a server that says "now" refused a moment ago.
const SHORTEST: Duration = Duration::from_secs(1);

const HTTP_DATE: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// How long the server asks to wait, between a second and an hour. A date is counted from the server's own `Date`,
/// which makes a wrong clock on either side harmless.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => date(headers, &RETRY_AFTER)?.since(date(headers, &DATE).unwrap_or(now)),
    };
    Some(wait.clamp(SHORTEST, LONGEST))
}

/// When the server says that it answered, by its own clock.
pub(crate) fn answered_at(headers: &HeaderMap) -> Option<Timestamp> {
    date(headers, &DATE)
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    let text = headers.get(name)?.to_str().ok()?;
    let instant = HTTP_DATE.parse_timestamp(text).ok()?;
    Some(Timestamp::from_seconds(instant.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT
    const NOW: Timestamp = Timestamp::from_seconds(784_111_777);

    fn wait(retry_after: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        super::retry_after(&headers, NOW).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        assert_eq!(wait("60", None), Some(60));
        assert_eq!(wait("Sun, 06 Nov 1994 08:51:07 GMT", None), Some(90));
        let servers = Some("Sun, 06 Nov 1994 08:51:00 GMT");
        assert_eq!(wait("Sun, 06 Nov 1994 08:51:07 GMT", servers), Some(7));
    }

    #[test]
    fn what_makes_no_sense_is_bounded_or_left_out() {
        assert_eq!(wait("0", None), Some(1));
        assert_eq!(wait("Sat, 05 Nov 1994 08:49:37 GMT", None), Some(1));
        assert_eq!(wait("99999999999", None), Some(3600));
        assert_eq!(wait("soon", None), None);
        assert_eq!(wait("-5", None), None);
    }
}
