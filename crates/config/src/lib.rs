//! The configuration: as written, and the checked form that the program sees.
//!
//! Defaults, the file and the environment are laid over each other key by key ([`Key`] lists all of them); nothing is
//! derived at that point. Then each section checks itself and becomes typed. Every problem is found in one go and
//! carries its key, its place and its remedy ([`ConfigError`]); a name or value that is not known is a problem too, and
//! is told the nearest one that is. Only the two binaries know this crate: everything else takes plain options.

mod chats;
mod control;
mod delivery;
mod draft;
mod environment;
mod expand;
mod gateway;
mod identity;
mod kapso;
mod key;
mod log;
mod media;
mod nearest;
mod numbers;
mod problem;
mod raw;
mod read;
mod routes;
mod rules;
mod security;
mod show;
mod state;
mod transcribe;
mod webhook;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use crate::chats::Chats;
pub use crate::control::Control;
pub use crate::delivery::{Delivery, Mode};
pub use crate::environment::Environment;
pub use crate::gateway::{Gateway, GatewayType, Relay, Template};
pub use crate::identity::IdentitySettings;
pub use crate::kapso::Kapso;
pub use crate::key::{KEYS, Key, Preset};
pub use crate::log::Log;
pub use crate::media::{MaxBytes, Media};
pub use crate::numbers::Number;
pub use crate::problem::{ConfigError, Origin, Problem};
pub use crate::routes::{Route, Target};
pub use crate::rules::{Hours, Rules, Words};
pub use crate::security::{Hook, OverLimit, Security, SecurityMode};
pub use crate::state::State;
pub use crate::transcribe::{Transcribe, TranscribeProvider};
pub use crate::webhook::{ListenAddress, Webhook};

use crate::draft::Draft;
use crate::raw::Raw;

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The WhatsApp side: `[kapso]`.
    pub kapso: Kapso,
    /// How messages arrive: `[delivery]`.
    pub delivery: Delivery,
    /// The port for pushed messages: `[webhook]`.
    pub webhook: Webhook,
    /// The agent's side: `[gateway]`.
    pub gateway: Gateway,
    /// What is kept on disk: `[state]`.
    pub state: State,
    /// The files that come with messages: `[media]`.
    pub media: Media,
    /// Who turns voice messages into text, if anybody: `[transcribe]`.
    pub transcribe: Option<Transcribe>,
    /// Who may write: `[security]`, and for each number what [`Number::security`] says.
    pub security: Security,
    /// Every business number, each with its policy: that of `[kapso]` first, then `[[numbers]]`. Never empty.
    pub numbers: Vec<Number>,
    /// To which agent, or in which session, who is answered: `[[routes]]`, the most specific first.
    pub routes: Vec<Route>,
    /// What the agent is told about chats: `[chats."…"]`.
    pub chats: Chats,
    /// How identity tokens are made out: `[identity]`.
    pub identity: IdentitySettings,
    /// What is held back: `[rules]`.
    pub rules: Rules,
    /// How the running bridge is watched: `[control]`.
    pub control: Control,
    /// What is logged: `log`.
    pub log: Log,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// What is allowed and yet probably not meant.
    pub warnings: Vec<Problem>,
    origins: BTreeMap<&'static str, Origin>,
    item_origins: BTreeMap<&'static str, Vec<Origin>>,
}

impl Config {
    /// Reads the configuration of this process: `file`, else `KAPSO_CONFIG`, else
    /// `~/.config/kapso-whatsapp/config.toml` if it is there; then the environment.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem that was found.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::load_with(file, &Environment::of_process())
    }

    /// Reads the configuration with an environment that is given.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem that was found.
    pub fn load_with(file: Option<&Path>, environment: &Environment) -> Result<Self, ConfigError> {
        let (raw, problems) = Raw::gather(file, environment);
        let mut draft = Draft::new(&raw, environment, problems);
        let config = Self::check(&mut draft);
        draft.finish(config)
    }

    fn check(draft: &mut Draft<'_>) -> Option<Self> {
        // All sections are checked before the first `?`, so that all problems are found.
        let listed = numbers::listed(draft);
        let kapso = Kapso::check(draft, listed.first().map(|number| &number.id));
        let delivery = Delivery::check(draft);
        let webhook = Webhook::check(draft, delivery.as_ref());
        let gateway = Gateway::check(draft);
        let state = State::check(draft);
        let media = Media::check(draft);
        let transcribe = Transcribe::check(draft);
        let security = Security::check(draft);
        let identity = IdentitySettings::check(draft);
        let rules = Rules::check(draft);
        let chats = Chats::check(draft);
        let control = Control::check(draft);
        let log = Log::check(draft);
        let secret = webhook.as_ref().and_then(|webhook| webhook.secret.as_ref());
        let policy = security.clone().unwrap_or_else(Security::stand_in);
        let numbers = numbers::check(draft, listed, secret, &policy);
        let policies: Vec<&Security> = numbers.iter().map(|number| &number.security).collect();
        Security::check_commands(draft, &policies);
        if let Some(gateway) = &gateway {
            gateway.check_isolation(draft, &policies);
        }
        let agent = gateway.as_ref().map_or("", |gateway| &gateway.agent);
        let routes = routes::check(draft, &numbers, agent);
        let mut config = Self {
            kapso: kapso?,
            delivery: delivery?,
            webhook: webhook?,
            gateway: gateway?,
            state: state?,
            media: media?,
            transcribe,
            security: security?,
            numbers,
            routes,
            chats,
            identity: identity?,
            rules,
            control: control?,
            log: log?,
            file: draft.raw().file.clone(),
            warnings: Vec::new(),
            origins: draft.raw().origins(),
            item_origins: draft.raw().item_origins(),
        };
        config.warnings = config.warn(draft.raw());
        Some(config)
    }

    /// Where the files that come with messages lie.
    pub fn media_dir(&self) -> PathBuf {
        let dir = self.media.dir.clone();
        dir.unwrap_or_else(|| self.state.dir.join("media"))
    }

    fn warn(&self, raw: &Raw) -> Vec<Problem> {
        let unsigned = self.numbers.iter().any(|number| number.secret.is_none());
        let single = [
            raw.exposed_secrets(),
            self.delivery.warning(),
            self.webhook.warning(&self.delivery, unsigned),
            self.gateway.warning(),
            self.rules.warning(),
            self.security.hook_warning(),
            routes::warning(&self.routes, &self.gateway),
        ];
        let numbers = self.numbers.iter();
        let policies = numbers.map(|number| number.warning(&self.security));
        let mut warnings: Vec<Problem> = Vec::new();
        for warning in single.into_iter().chain(policies).flatten() {
            // Numbers that share a policy share what is to be said of it.
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        warnings
    }
}
