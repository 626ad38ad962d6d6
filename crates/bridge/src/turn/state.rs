//! What to do about a turn whose outcome is not known.
//!
//! Pure: what was seen goes in, the next step comes out. The gateway forgets idempotency keys after five minutes and
//! at a restart, and resumes interrupted runs by itself under other run ids (OpenClaw 2026.5.7 to 2026.9.6). So a key
//! is repeated only while it surely lives; otherwise the session is watched, and asked again only when nothing
//! runs there and nothing was answered.

use std::time::Duration;

/// How long after the request a repetition of its key surely meets the gateway's memory (it lives 300 s).
pub(crate) const KEY_LIFE: Duration = Duration::from_secs(240);

/// The gateway's uptime by which it has begun to resume what was interrupted (4 to 6 s were seen).
pub(crate) const RESUME_GRACE: Duration = Duration::from_secs(25);

/// The uptime after which a session that is marked as interrupted, but does not run, is not waited for any more.
/// 2026.9.6 resumes sessions one after the other, so the wait is generous.
pub(crate) const RESUME_LIMIT: Duration = Duration::from_secs(600);

/// How many looks in a row must find a session idle and unanswered before it is believed: at the end of a run
/// neither the run nor its answer may show for a moment (seen on 2026.9.6).
pub(crate) const QUIET_LOOKS: u32 = 4;

/// How often a turn is asked before it is given up. Each count is written before the request.
pub(crate) const MOST_ASKS: u32 = 4;

/// What is known about a turn that may or may not have reached the gateway.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation {
    /// Whether the gateway is the very process that was asked.
    pub(crate) same_boot: bool,
    /// Time since the request.
    pub(crate) since_asked: Duration,
    /// How long the gateway has been up.
    pub(crate) uptime: Duration,
    /// How often the turn was asked.
    pub(crate) asks: u32,
    /// What the session shows, if it was looked at.
    pub(crate) session: Option<Session>,
    /// How many looks in a row found neither a run nor an answer.
    pub(crate) quiet_looks: u32,
    /// How long a run may take.
    pub(crate) run_limit: Duration,
}

/// What the session shows about the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Session {
    /// An answer to the turn stands there.
    pub(crate) answered: bool,
    /// A run is active; `None` where the release does not say (2026.5.7).
    pub(crate) active: Option<bool>,
    /// The gateway has marked the session as interrupted and not resumed it yet.
    pub(crate) pending: bool,
}

/// The next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send the same key again, which the gateway remembers: it joins the run, or gives the result that it has.
    Repeat,
    /// Ask once more, as a request of its own that is counted.
    Ask,
    /// Look at the session.
    Look,
    /// Wait, then look at the session again.
    Wait,
    /// Take the answer that the session shows.
    Take,
    /// Asked too often without an answer.
    GiveUp,
    /// A run goes on for too long: end it, and give the turn up.
    Abort,
}

/// Decides the next step.
pub(crate) fn next(situation: Situation) -> Step {
    let ask = if situation.asks < MOST_ASKS {
        Step::Ask
    } else {
        Step::GiveUp
    };
    if situation.same_boot && situation.since_asked < KEY_LIFE {
        return Step::Repeat;
    }
    let Some(session) = situation.session else {
        return Step::Look;
    };
    if session.active == Some(true) {
        let ran = situation.since_asked.min(situation.uptime);
        return if ran > situation.run_limit {
            Step::Abort
        } else {
            Step::Wait
        };
    }
    if session.answered {
        return Step::Take;
    }
    if situation.quiet_looks < QUIET_LOOKS {
        return Step::Wait;
    }
    if situation.same_boot {
        return ask;
    }
    let limit = if session.pending {
        RESUME_LIMIT
    } else {
        RESUME_GRACE
    };
    if situation.uptime < limit {
        Step::Wait
    } else {
        ask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn restarted(uptime: u64, session: Option<Session>) -> Situation {
        Situation {
            same_boot: false,
            since_asked: S(40),
            uptime: S(uptime),
            asks: 1,
            session,
            quiet_looks: QUIET_LOOKS,
            run_limit: S(7200),
        }
    }

    fn shows(answered: bool, active: Option<bool>, pending: bool) -> Option<Session> {
        Some(Session {
            answered,
            active,
            pending,
        })
    }

    #[test]
    fn a_dropped_socket_repeats_the_key_while_it_lives() {
        let dropped = Situation {
            same_boot: true,
            since_asked: S(100),
            uptime: S(9000),
            asks: 1,
            session: None,
            quiet_looks: QUIET_LOOKS,
            run_limit: S(7200),
        };
        assert_eq!(next(dropped), Step::Repeat);
        let long_ago = Situation {
            since_asked: S(301),
            ..dropped
        };
        assert_eq!(next(long_ago), Step::Look);
        assert_eq!(
            next(Situation {
                session: shows(true, Some(false), false),
                ..long_ago
            }),
            Step::Take
        );
        assert_eq!(
            next(Situation {
                session: shows(false, Some(true), false),
                ..long_ago
            }),
            Step::Wait
        );
        assert_eq!(
            next(Situation {
                session: shows(false, Some(false), false),
                ..long_ago
            }),
            Step::Ask
        );
    }

    #[test]
    fn a_restarted_gateway_is_watched_before_it_is_asked_again() {
        assert_eq!(next(restarted(2, None)), Step::Look);
        assert_eq!(
            next(restarted(2, shows(false, Some(false), false))),
            Step::Wait
        );
        assert_eq!(next(restarted(2, shows(false, None, false))), Step::Wait);
        assert_eq!(
            next(restarted(60, shows(false, Some(false), true))),
            Step::Wait
        );
        assert_eq!(
            next(restarted(60, shows(false, Some(true), false))),
            Step::Wait
        );
        assert_eq!(
            next(restarted(60, shows(true, Some(false), false))),
            Step::Take
        );
        assert_eq!(next(restarted(60, shows(true, None, false))), Step::Take);
        assert_eq!(next(restarted(60, shows(false, None, false))), Step::Ask);
        assert_eq!(
            next(restarted(601, shows(false, Some(false), true))),
            Step::Ask
        );
    }

    #[test]
    fn one_quiet_look_is_not_believed() {
        let quiet = restarted(60, shows(false, Some(false), false));
        let once = Situation {
            quiet_looks: 1,
            ..quiet
        };
        assert_eq!((next(once), next(quiet)), (Step::Wait, Step::Ask));
    }

    #[test]
    fn a_turn_is_not_asked_for_ever() {
        let often = Situation {
            asks: MOST_ASKS,
            ..restarted(60, shows(false, Some(false), false))
        };
        assert_eq!(next(often), Step::GiveUp);
    }

    #[test]
    fn a_run_that_never_reports_is_aborted_once_the_limit_is_over() {
        let running = shows(false, Some(true), false);
        let hanging = |since_asked, uptime| {
            next(Situation {
                same_boot: true,
                since_asked: S(since_asked),
                ..restarted(uptime, running)
            })
        };
        assert_eq!(hanging(7199, 90_000), Step::Wait);
        assert_eq!(hanging(7201, 90_000), Step::Abort);
        // What the gateway resumed after a restart has its time from then on.
        assert_eq!(hanging(90_000, 7199), Step::Wait);
    }
}
