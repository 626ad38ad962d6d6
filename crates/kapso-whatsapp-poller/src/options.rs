//! From the checked configuration to the plain options of the library crates.

use std::time::Duration;

use bridge::guard::{Hours, OverLimit, Policy, Rules, Strangers, Words};
use bridge::inbound::poll::PollTiming;
use bridge::{
    Hook, MediaFolder, NumberOptions, Options, Prompts, Retention, Route, Routes, SendTiming,
    Sessions, Staleness, Target, TurnTiming,
};
use config::{Config, Number, Security, SecurityMode};

/// WhatsApp shows typing for 25 s (kapso.md 2.8).
const TYPING: Duration = Duration::from_secs(20);

/// Less than the ten seconds after which a service manager loses patience.
const DRAIN: Duration = Duration::from_secs(8);

/// The journey's options.
pub(crate) fn options(config: &Config) -> Options {
    let numbers = config.numbers.iter().enumerate();
    Options {
        numbers: numbers
            .map(|(place, number)| number_options(config, number, place == 0))
            .collect(),
        rules: rules(&config.rules),
        routes: Routes::new(config.routes.iter().map(route).collect()),
        prompts: Prompts {
            chats: config.chats.prompts.clone(),
            default: config.chats.default.clone(),
        },
        stranger_hook: config.security.stranger_hook.as_ref().map(hook),
        error_message: config.gateway.error_message.clone(),
        poll: PollTiming::every(config.delivery.poll_interval),
        poll_fallback: config.delivery.poll_fallback,
        staleness: Staleness {
            backlog_after: config.delivery.backlog_after,
            max_age: config.delivery.max_age,
        },
        retention: Retention {
            max_bytes: config.state.max_bytes(),
            ..Retention::default()
        },
        media: MediaFolder {
            keep: config.media.keep,
            ..MediaFolder::new(config.media_dir())
        },
        turn: TurnTiming {
            run_limit: config.gateway.run_limit,
            ..TurnTiming::default()
        },
        send: SendTiming::default(),
        typing: TYPING,
        drain: DRAIN,
    }
}

fn number_options(config: &Config, number: &Number, first: bool) -> NumberOptions {
    // One person may write to two numbers: each has a conversation of its own.
    let own = |stem: &str| match first {
        true => stem.to_owned(),
        false => format!("{stem}-{}", number.name),
    };
    let template = config.gateway.session_template.as_ref().map(|template| {
        let template = template.as_str();
        match template.contains("{number}") {
            true => template.to_owned(),
            false => own(template),
        }
    });
    NumberOptions {
        id: number.id.clone(),
        policy: policy(&number.security),
        sessions: Sessions {
            key: own(config.gateway.session_key.as_str()),
            isolation: number.security.session_isolation,
            template,
            agent: config.gateway.agent.clone(),
        },
    }
}

fn policy(security: &Security) -> Policy {
    let strangers = match security.mode {
        SecurityMode::Allowlist => Strangers::Refused,
        SecurityMode::Open => Strangers::Admitted(security.default_role.clone()),
        SecurityMode::Pairing => Strangers::Paired {
            message: security.pairing_message.clone(),
        },
    };
    Policy {
        strangers,
        roles: security.roles.clone().into_iter().collect(),
        rate_limit: security.rate_limit,
        window: security.rate_window,
        over_limit: match security.over_limit {
            config::OverLimit::Wait => OverLimit::Wait,
            config::OverLimit::Drop => OverLimit::Drop,
        },
        deny_message: security.deny_message.clone(),
        commands: security.gateway_commands.clone(),
    }
}

fn route(route: &config::Route) -> Route {
    Route {
        number: route.number.clone(),
        senders: route.senders.clone(),
        role: route.role.clone(),
        target: match &route.target {
            config::Target::Agent(agent) => Target::Agent(agent.clone()),
            config::Target::Session(session) => Target::Session(session.to_string()),
        },
    }
}

fn hook(hook: &config::Hook) -> Hook {
    match hook {
        config::Hook::Command(line) => Hook::Command(line.clone()),
        config::Hook::Url(url) => Hook::Url(url.to_string()),
    }
}

fn rules(rules: &config::Rules) -> Rules {
    let words = |words: &config::Words| Words::new(&words.words, words.reply.clone());
    Rules {
        admin: rules.admin.clone(),
        forbidden: words(&rules.forbidden),
        escalate: words(&rules.escalate),
        approve: words(&rules.approve),
        hours: rules.hours.as_ref().map(|hours| Hours {
            zone: hours.zone.clone(),
            days: hours.days,
            open: hours.open,
            close: hours.close,
            reply: hours.reply.clone(),
        }),
    }
}
