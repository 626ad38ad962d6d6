//! How the bridge of a world is set up: known people, and no long waits.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bridge::control::{Grants, People};
use bridge::guard::{Guard, OverLimit, Policy, Rules, Strangers};
use bridge::identity::Issuer;
use bridge::inbound::poll::PollTiming;
use bridge::{
    MediaFolder, NumberOptions, Options, Prompts, Retention, Routes, SendTiming, Sessions,
    Staleness, TurnTiming,
};
use kapso::media::{Downloads, Egress, Limits};
use model::{Identity, NumberId, Role};

use super::{ANN, BOB, DENY_MESSAGE, ERROR_MESSAGE, Line, NUMBER, SLOWEST_POLL};

/// Who may speak, for the control socket.
pub(crate) fn people(options: &Options, guard: &Arc<Guard>, issuer: Option<Issuer>) -> People {
    let grants = options.numbers.iter().map(|number| {
        let grants = Grants {
            roles: number.policy.roles.values().cloned().collect(),
            usual: Role("guest".to_owned()),
        };
        (number.id.clone(), grants)
    });
    People {
        guard: Arc::clone(guard),
        grants: grants.collect(),
        agent: "main".to_owned(),
        issuer,
    }
}

pub(crate) fn kapso_client(line: &Line) -> kapso::Client {
    kapso::Client::new(kapso::Options {
        base_url: line.kapso.parse().unwrap(),
        api_key: "key".to_owned().into(),
        number: line.number.clone(),
        deadlines: kapso::Deadlines {
            connect: Duration::from_millis(500),
            read: Duration::from_millis(300),
            send: Duration::from_millis(300),
        },
    })
    .unwrap()
}

/// Files come from where the number's Kapso is.
pub(crate) fn downloads(line: &Line) -> Downloads {
    let base = line.kapso.parse().unwrap();
    Downloads::new(Egress::of(&base, Vec::new(), Limits::default())).unwrap()
}

pub(crate) fn gateway_timing() -> gateway::Timing {
    gateway::Timing {
        backoff_first: Duration::from_millis(10),
        backoff_cap: Duration::from_millis(50),
        ..gateway::Timing::default()
    }
}

pub(crate) fn bridge_options() -> Options {
    let role = |name: &str| Role(name.to_owned());
    let known = |number: &str| Identity::new(number).unwrap().canonical();
    Options {
        numbers: vec![NumberOptions {
            id: NumberId::new(NUMBER).unwrap(),
            policy: Policy {
                strangers: Strangers::Refused,
                roles: HashMap::from([(known(ANN), role("member")), (known(BOB), role("admin"))]),
                rate_limit: 1000,
                window: Duration::from_secs(60),
                over_limit: OverLimit::Wait,
                deny_message: DENY_MESSAGE.to_owned(),
                commands: BTreeMap::new(),
            },
            sessions: Sessions {
                key: "main".to_owned(),
                isolation: true,
                template: None,
                agent: "main".to_owned(),
            },
        }],
        rules: Rules::default(),
        routes: Routes::default(),
        prompts: Prompts::default(),
        stranger_hook: None,
        error_message: ERROR_MESSAGE.to_owned(),
        poll: PollTiming {
            backoff_most: SLOWEST_POLL,
            deep_every: Duration::ZERO,
            hint_gap: Duration::ZERO,
            recovery_grace: Duration::ZERO,
            ..PollTiming::every(Duration::from_millis(20))
        },
        poll_fallback: false,
        staleness: Staleness::default(),
        retention: Retention::default(),
        media: MediaFolder {
            again_after: Duration::from_millis(5),
            ..MediaFolder::new(PathBuf::new())
        },
        turn: TurnTiming {
            look: Duration::from_millis(20),
            wait: Duration::from_millis(200),
            backoff: Duration::from_millis(20),
            transcript: Duration::from_millis(500),
            push: Duration::from_millis(400),
            ..TurnTiming::default()
        },
        send: SendTiming {
            backoff_first: Duration::from_millis(10),
            backoff_most: Duration::from_millis(50),
            operator: Duration::from_millis(50),
            lookups: vec![Duration::from_millis(10), Duration::from_millis(50)],
            gap: Duration::ZERO,
            ..SendTiming::default()
        },
        typing: Duration::from_secs(20),
        drain: Duration::from_millis(300),
    }
}
