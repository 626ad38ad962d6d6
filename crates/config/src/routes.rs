//! `[[routes]]`: to which agent, or in which session, who is answered.

use std::collections::BTreeSet;

use model::{Identity, NumberId, Role, SessionKey};

use crate::Number;
use crate::draft::Draft;
use crate::gateway::{self, Gateway, Relay};
use crate::key::{Key, Preset};
use crate::problem::{Origin, Problem, Wrong};
use crate::raw::{Item, Value};
use crate::read;
use crate::security::{Security, held_role, role_name};
use crate::show::Shown;

/// The section's name.
pub(crate) const SECTION: &str = "routes";

pub(crate) static NUMBER: Key = Key::new(
    "routes.number",
    &[],
    Preset::Nothing,
    "the business number that was written to, by its name or its `phone_number_id`",
);

pub(crate) static SENDER: Key = Key::new(
    "routes.sender",
    &[],
    Preset::Nothing,
    "who writes: a number or user id, or a list of them",
);

pub(crate) static ROLE: Key = Key::new(
    "routes.role",
    &[],
    Preset::Nothing,
    "the role of who writes",
);

pub(crate) static AGENT: Key = Key::new(
    "routes.agent",
    &[],
    Preset::Nothing,
    "the agent that answers, in place of `gateway.agent`",
);

pub(crate) static SESSION: Key = Key::new(
    "routes.session",
    &[],
    Preset::Nothing,
    "the session, or with isolation the stem of everyone's own, in place of `gateway.session_key`",
);

/// Who is answered where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The business number that was written to; none means any.
    pub number: Option<NumberId>,
    /// Who writes, in canonical form; empty means anyone.
    pub senders: Vec<Identity>,
    /// The role of who writes; none means any.
    pub role: Option<Role>,
    /// Where they are answered.
    pub target: Target,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To this agent, in the session that the gateway's settings make; in lower case.
    Agent(String),
    /// Into this session; with isolation it is the stem of the senders' own.
    Session(SessionKey),
}

/// The routes, the most specific first: by sender, then by role, then by number; as written among equals.
pub(crate) fn check(draft: &mut Draft<'_>, numbers: &[Number], agent: &str) -> Vec<Route> {
    if numbers.is_empty() {
        // None of them will do, and that is told already.
        return Vec::new();
    }
    let mut routes: Vec<(Route, &Origin)> = Vec::new();
    for item in draft.raw().items(SECTION) {
        let Some(route) = route(draft, item, numbers, agent) else {
            continue;
        };
        let same = routes.iter().find_map(|(other, place)| {
            let shared = route.shared_with(other)?;
            Some(format!(
                "has the criteria of another route{shared} ({place})"
            ))
        });
        if let Some(what) = same {
            let wrong = Wrong::new(what, "leave one of the two");
            draft.problem(SECTION, Some(item.origin.clone()), wrong);
        }
        routes.push((route, &item.origin));
    }
    let mut routes: Vec<Route> = routes.into_iter().map(|(route, _)| route).collect();
    routes.sort_by_key(|route| std::cmp::Reverse(route.weight()));
    routes
}

fn route(draft: &mut Draft<'_>, item: &Item, numbers: &[Number], agent: &str) -> Option<Route> {
    let number = draft.get_of(item, &NUMBER, |value| number(value, numbers));
    let senders = draft.list(&item.scope, &SENDER, read::identity);
    let of_number = |candidate: &&Number| number.as_ref().is_none_or(|id| *id == candidate.id);
    let policies: Vec<&Security> = numbers
        .iter()
        .filter(of_number)
        .map(|number| &number.security)
        .collect();
    let role = draft.get_of(item, &ROLE, |value| held_role(role_name(value)?, &policies));
    let to_agent = draft.get_of(item, &AGENT, gateway::agent);
    let to_session = draft.get_of(item, &SESSION, gateway::session_key(agent));
    let written = |key: &Key| item.scope.get(key).is_some();
    let mut wrong = |what: &str, remedy: &str| {
        draft.problem(SECTION, Some(item.origin.clone()), Wrong::new(what, remedy));
    };
    let no_sender = item
        .scope
        .get(&SENDER)
        .is_some_and(|written| matches!(&written.value, Value::List(list) if list.is_empty()));
    if no_sender {
        wrong(
            "has a route with an empty list of senders",
            "list one, or remove sender",
        );
    }
    if ![&NUMBER, &SENDER, &ROLE].into_iter().any(written) {
        wrong(
            "has a route without a criterion",
            "add number, sender or role; what holds for everyone is gateway.agent or gateway.session_key",
        );
    }
    let target = match (to_agent, to_session) {
        (Some(agent), None) => Some(Target::Agent(agent)),
        (None, Some(session)) => Some(Target::Session(session)),
        (Some(_), Some(_)) => {
            wrong(
                "has a route to an agent and a session",
                "leave one of the two",
            );
            None
        }
        (None, None) => {
            if !written(&AGENT) && !written(&SESSION) {
                wrong("has a route to nothing", "add agent or session");
            }
            None
        }
    };
    Some(Route {
        number,
        senders,
        role,
        target: target?,
    })
}

/// What is allowed and yet probably not meant.
pub(crate) fn warning(routes: &[Route], gateway: &Gateway) -> Option<Problem> {
    let away = routes.iter().any(|route| match &route.target {
        Target::Agent(agent) => *agent != gateway.agent,
        Target::Session(session) => {
            let own = format!("agent:{}:", gateway.agent);
            !session.as_str().starts_with(&own)
        }
    });
    (away && gateway.relay == Relay::Jsonl).then(|| Problem {
        key: SECTION.to_owned(),
        origin: None,
        what: "leads to another agent, and gateway.relay = \"jsonl\" reads the sessions of one"
            .to_owned(),
        remedy: "set gateway.relay = \"auto\"".to_owned(),
    })
}

/// A number that is configured, by its name or its id.
fn number(value: &Value, numbers: &[Number]) -> Result<NumberId, Wrong> {
    let text = read::text(value)?;
    let named = |number: &&Number| text.trim() == number.name || text.trim() == number.id.as_str();
    if let Some(number) = numbers.iter().find(named) {
        return Ok(number.id.clone());
    }
    let names: BTreeSet<&str> = numbers
        .iter()
        .flat_map(|number| [number.name.as_str(), number.id.as_str()])
        .collect();
    Err(Wrong::new(
        format!("is {}, which is not configured", read::quoted(&text)),
        read::one_of(&text, names),
    ))
}

impl Route {
    /// How much it says of whom it is for: the sender weighs most, then the role, then the number.
    fn weight(&self) -> (bool, bool, bool) {
        let sender = !self.senders.is_empty();
        (sender, self.role.is_some(), self.number.is_some())
    }

    /// Whether someone meets the criteria of both as if they were one route: none, or who it is, for a message.
    fn shared_with(&self, other: &Self) -> Option<String> {
        let same = (&self.number, &self.role, self.senders.is_empty())
            == (&other.number, &other.role, other.senders.is_empty());
        if !same {
            return None;
        }
        if self.senders.is_empty() {
            return Some(String::new());
        }
        let both = |sender: &&Identity| other.senders.contains(sender);
        self.senders
            .iter()
            .find(both)
            .map(|sender| format!(" for {sender}"))
    }

    pub(crate) fn show(&self, shown: &mut Shown) {
        shown.maybe(&NUMBER, self.number.as_ref());
        if !self.senders.is_empty() {
            shown.list(&SENDER, &self.senders);
        }
        shown.maybe(&ROLE, self.role.as_ref());
        match &self.target {
            Target::Agent(agent) => shown.text(&AGENT, agent),
            Target::Session(session) => shown.text(&SESSION, session.as_str()),
        }
    }
}
