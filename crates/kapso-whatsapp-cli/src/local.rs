//! Instants as the people of this host read them.

use jiff::tz::TimeZone;

/// The zone in which times are shown.
#[derive(Debug, Clone)]
pub(crate) struct Zone(TimeZone);

impl Zone {
    /// The zone of this host, as `TZ` or `/etc/localtime` says; UTC where neither does.
    pub(crate) fn of_host() -> Self {
        Self(TimeZone::system())
    }

    #[cfg(test)]
    pub(crate) fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// The day of an instant in milliseconds since the epoch: `2026-11-21`.
    pub(crate) fn day(&self, at: i64) -> String {
        self.format(at, "%Y-%m-%d")
    }

    /// Its time of day: `12:03:04`.
    pub(crate) fn time(&self, at: i64) -> String {
        self.format(at, "%H:%M:%S")
    }

    /// Its time of day with milliseconds: `12:03:04.120`.
    pub(crate) fn exact(&self, at: i64) -> String {
        self.format(at, "%H:%M:%S%.3f")
    }

    fn format(&self, at: i64, format: &str) -> String {
        match jiff::Timestamp::from_millisecond(at) {
            Ok(instant) => instant
                .to_zoned(self.0.clone())
                .strftime(format)
                .to_string(),
            // Further away than any calendar goes: the number itself says more than a wrong date.
            Err(_outside) => at.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_in_the_zone() {
        let zone = Zone(TimeZone::fixed(jiff::tz::offset(-3)));
        let at = 1_700_000_000_120;
        assert_eq!(
            [zone.day(at), zone.time(at), zone.exact(at)],
            ["2023-11-14", "19:13:20", "19:13:20.120"]
        );
        assert_eq!(zone.exact(1_700_000_000_000), "19:13:20.000");
        assert_eq!(zone.day(i64::MAX), i64::MAX.to_string());
    }
}
