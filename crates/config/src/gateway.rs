//! `[gateway]`: where the agent is and how it is asked.

mod template;

use std::path::PathBuf;
use std::time::Duration;

use model::SessionKey;
use secrecy::SecretString;
use url::Url;

pub use self::template::Template;
use crate::draft::Draft;
use crate::key::{Key, Preset};
use crate::problem::{Problem, Wrong};
use crate::raw::Value;
use crate::read;
use crate::security::Security;
use crate::show::Shown;

pub(crate) static TYPE: Key = Key::new(
    "gateway.type",
    &["GATEWAY_TYPE"],
    Preset::Text("openclaw"),
    "the kind of gateway; `openclaw` is the only one",
);

pub(crate) static URL: Key = Key::new(
    "gateway.url",
    &["GATEWAY_URL", "OPENCLAW_GATEWAY_URL"],
    Preset::Text("ws://127.0.0.1:18789"),
    "the gateway's WebSocket",
);

pub(crate) static TOKEN: Key = Key::new(
    "gateway.token",
    &["OPENCLAW_TOKEN", "GATEWAY_TOKEN"],
    Preset::Nothing,
    "`gateway.auth.token` of OpenClaw's configuration",
)
.secret();

pub(crate) static SESSION_KEY: Key = Key::new(
    "gateway.session_key",
    &["OPENCLAW_SESSION_KEY"],
    Preset::Text("main"),
    "the session, or with isolation the stem of everyone's own: `main-wa-15551234567`",
);

pub(crate) static SESSIONS_JSON: Key = Key::new(
    "gateway.sessions_json",
    &["OPENCLAW_SESSIONS_JSON"],
    Preset::Text("~/.openclaw/agents/main/sessions/sessions.json"),
    "the gateway's list of sessions, read with `relay = \"jsonl\"` alone",
);

pub(crate) static RELAY: Key = Key::new(
    "gateway.relay",
    &["GATEWAY_RELAY"],
    Preset::Text("auto"),
    "where replies are read: `auto` (the run's result, then the history) or `jsonl` (the session's transcript)",
);

pub(crate) static ERROR_MESSAGE: Key = Key::new(
    "gateway.error_message",
    &["GATEWAY_ERROR_MESSAGE"],
    Preset::Text("Sorry, something went wrong. Please try again later."),
    "what a sender is told when the agent fails; empty sends nothing",
)
.may_be_empty();

pub(crate) static RUN_LIMIT: Key = Key::new(
    "gateway.run_limit",
    &["GATEWAY_RUN_LIMIT"],
    Preset::Text("7200"),
    "seconds after which a run that has not reported is given up",
);

pub(crate) static SESSION_TEMPLATE: Key = Key::new(
    "gateway.session_template",
    &["GATEWAY_SESSION_TEMPLATE"],
    Preset::Nothing,
    "a sender's session in another form, such as `agent:{agent}:whatsapp:direct:{phone}`; also `{id}` (without \
     `+`) and `{number}`",
);

pub(crate) static AGENT: Key = Key::new(
    "gateway.agent",
    &["GATEWAY_AGENT"],
    Preset::Text("main"),
    "the agent, for session keys that name none and for `{agent}`; routes may name others",
);

/// The longest name of an agent.
const LONGEST_AGENT: usize = 64;

/// The longest stem of a session key: a sender's suffix has to fit behind it.
const LONGEST_SESSION_KEY: usize = 200;

/// Where the agent is and how it is asked.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// The kind of gateway.
    pub kind: GatewayType,
    /// Its WebSocket.
    pub url: Url,
    /// The shared token.
    pub token: Option<SecretString>,
    /// The session, or the stem of the senders' sessions.
    pub session_key: SessionKey,
    /// The gateway's list of sessions.
    pub sessions_json: PathBuf,
    /// Where replies are read.
    pub relay: Relay,
    /// What a sender is told when the agent fails; empty sends nothing.
    pub error_message: String,
    /// How long a run may take before the bridge's watchdog gives it up.
    pub run_limit: Duration,
    /// The form of the senders' sessions, where it is not `session_key` and a suffix.
    pub session_template: Option<Template>,
    /// The agent of everyone whom no route sends elsewhere, in lower case.
    pub agent: String,
}

/// A kind of gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayType {
    /// OpenClaw's.
    OpenClaw,
}

impl GatewayType {
    const NAMES: [(&'static str, Self); 1] = [("openclaw", Self::OpenClaw)];

    /// The word for it in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenClaw => "openclaw",
        }
    }
}

/// Where replies are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// From the run's own result, and after a loss from the session's history.
    Auto,
    /// From the session's JSONL transcript (OpenClaw up to 2026.7.35).
    Jsonl,
}

impl Relay {
    const NAMES: [(&'static str, Self); 2] = [("auto", Self::Auto), ("jsonl", Self::Jsonl)];

    /// The word for it in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Jsonl => "jsonl",
        }
    }
}

/// A session, or a stem of sessions, at `agent` unless it names another.
pub(crate) fn session_key(agent: &str) -> impl FnOnce(&Value) -> Result<SessionKey, Wrong> {
    move |value| {
        let text = read::text(value)?;
        let wrong = |what: String| Wrong::new(what, "write a short name such as main");
        if text.chars().count() > LONGEST_SESSION_KEY {
            return Err(wrong(format!(
                "is longer than {LONGEST_SESSION_KEY} characters"
            )));
        }
        let key = SessionKey::new(&text).map_err(|invalid| wrong(invalid.to_string()))?;
        let text = text.trim().to_lowercase();
        if text.starts_with("agent:") {
            return Ok(key);
        }
        SessionKey::new(&format!("agent:{agent}:{text}"))
            .map_err(|invalid| wrong(invalid.to_string()))
    }
}

/// An agent's name, in lower case as the gateway has it in session keys (openclaw.md 3.3).
pub(crate) fn agent(value: &Value) -> Result<String, Wrong> {
    let text = read::text(value)?;
    let name = text.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > LONGEST_AGENT || !name.chars().all(plain) {
        return Err(Wrong::new(
            format!("names the agent {}", read::quoted(name)),
            format!(
                "use up to {LONGEST_AGENT} letters, digits, - or _, as `openclaw agents list` shows it"
            ),
        ));
    }
    Ok(name.to_lowercase())
}

impl Gateway {
    pub(crate) fn check(draft: &mut Draft<'_>) -> Option<Self> {
        let environment = draft.environment();
        let kind = draft.get(&TYPE, read::choice(&GatewayType::NAMES));
        let url = draft.get(&URL, read::url(&["ws", "wss", "http", "https"]));
        let token = draft.get(&TOKEN, read::secret);
        let agent = draft.get(&AGENT, agent);
        let at = agent.as_deref().unwrap_or_default();
        let session_key = draft.get(&SESSION_KEY, session_key(at));
        let session_template = draft.get(&SESSION_TEMPLATE, template::template);
        let sessions_json = draft.get(&SESSIONS_JSON, read::path(environment));
        let relay = draft.get(&RELAY, read::choice(&Relay::NAMES));
        let error_message = draft.get(&ERROR_MESSAGE, read::text);
        let run_limit = draft.get(&RUN_LIMIT, read::seconds(60..=86_400));
        Some(Self {
            kind: kind?,
            url: url?,
            token,
            session_key: session_key?,
            sessions_json: sessions_json?,
            relay: relay?,
            error_message: error_message?,
            run_limit: run_limit?,
            session_template,
            agent: agent?,
        })
    }

    /// Refuses a template that gives all senders one session where each has to have one of their own.
    pub(crate) fn check_isolation(&self, draft: &mut Draft<'_>, policies: &[&Security]) {
        let shared = self
            .session_template
            .as_ref()
            .is_some_and(|template| !template.tells_senders_apart());
        if shared && policies.iter().any(|policy| policy.session_isolation) {
            let written = draft.raw().top.get(&SESSION_TEMPLATE);
            let origin = written.map(|written| written.origin.clone());
            let wrong = Wrong::new(
                "gives all senders one session, and session_isolation wants one for each",
                "add {phone} or {id}, or set security.session_isolation = false",
            );
            draft.problem(SESSION_TEMPLATE.path, origin, wrong);
        }
    }

    pub(crate) fn warning(&self) -> Option<Problem> {
        read::leaves_host_in_clear(&self.url).then(|| Problem {
            key: URL.path.to_owned(),
            origin: None,
            what: "sends messages and the token over the network unencrypted".to_owned(),
            remedy: "write a wss address, or reach the gateway through a tunnel on this host"
                .to_owned(),
        })
    }

    pub(crate) fn show(&self, shown: &mut Shown) {
        shown.text(&TYPE, self.kind.name());
        shown.text(&URL, self.url.as_str());
        shown.secret(&TOKEN, self.token.as_ref());
        shown.text(&SESSION_KEY, self.session_key.as_str());
        shown.path(&SESSIONS_JSON, &self.sessions_json);
        shown.text(&RELAY, self.relay.name());
        shown.text(&ERROR_MESSAGE, &self.error_message);
        shown.seconds(&RUN_LIMIT, self.run_limit);
        shown.maybe(&SESSION_TEMPLATE, self.session_template.as_ref());
        shown.text(&AGENT, &self.agent);
    }
}
