//! Which agent and which conversation a message belongs to.
//!
//! Pure. The most specific route wins, as with OpenClaw's own bindings: by sender, by role, by number, then the default. With
//! isolation each sender has a session of their own, named by the canonical identity, whole.

use std::cmp::Reverse;

use model::{Identity, Inbound, InvalidId, NumberId, Role, SessionKey};

/// Which conversation of the gateway the senders of one number speak in.
#[derive(Debug, Clone)]
pub struct Sessions {
    /// The session of the operator (`gateway.session_key`), and the stem of everyone else's.
    pub key: String,
    /// Whether each sender has a session of their own (`security.session_isolation`).
    pub isolation: bool,
    /// Instead of the stem: a session's name with `{agent}`, `{phone}`, `{id}` and `{number}` to be filled in
    /// (`gateway.session_template`).
    pub template: Option<String>,
    /// What `{agent}` stands for where no route says otherwise.
    pub agent: String,
}

/// Whose messages go to another agent or session.
#[derive(Debug, Clone)]
pub struct Route {
    /// The business number that was written to; any if none.
    pub number: Option<NumberId>,
    /// Who wrote, in canonical form; anybody if empty.
    pub senders: Vec<Identity>,
    /// As whom; any role if none.
    pub role: Option<Role>,
    /// Where the messages go.
    pub target: Target,
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To another agent of the gateway.
    Agent(String),
    /// To a session; with isolation it is the stem of each sender's own.
    Session(String),
}

/// The routes of every number.
#[derive(Debug, Clone, Default)]
pub struct Routes(Vec<Route>);

impl Route {
    fn takes(&self, inbound: &Inbound, role: &Role) -> bool {
        let number = self
            .number
            .as_ref()
            .is_none_or(|number| *number == inbound.number);
        let as_role = self.role.as_ref().is_none_or(|wanted| wanted == role);
        let user = |id: &Identity| match (id, &inbound.user) {
            (Identity::User(id), Some(user)) => id == user,
            (Identity::User(_), None) | (Identity::Phone(_), _) => false,
        };
        let person = inbound.person().canonical();
        let sender = |id: &Identity| *id == person || *id == inbound.from.canonical() || user(id);
        number && as_role && (self.senders.is_empty() || self.senders.iter().any(sender))
    }

    fn is_specific(&self) -> (bool, bool, bool) {
        (
            !self.senders.is_empty(),
            self.role.is_some(),
            self.number.is_some(),
        )
    }
}

impl Routes {
    /// The routes, in the order in which they are written; of two that are as specific the first counts.
    pub fn new(mut routes: Vec<Route>) -> Self {
        routes.sort_by_key(|route| Reverse(route.is_specific()));
        Self(routes)
    }

    /// Where a sender's message goes, if not to the default.
    pub fn of(&self, inbound: &Inbound, role: &Role) -> Option<&Target> {
        let route = self.0.iter().find(|route| route.takes(inbound, role))?;
        Some(&route.target)
    }
}

impl Sessions {
    /// The session that `inbound` belongs to, along `route`.
    ///
    /// # Errors
    /// [`InvalidId`] when what is configured makes no session key.
    pub fn of(&self, inbound: &Inbound, route: Option<&Target>) -> Result<SessionKey, InvalidId> {
        let person = inbound.person();
        let own = |stem: &str| match self.isolation {
            true => format!("{stem}-wa-{}", person.session_suffix()),
            false => stem.to_owned(),
        };
        let key = match (route, &self.template) {
            (Some(Target::Session(stem)), _) => own(stem),
            (Some(Target::Agent(agent)), Some(template)) => self.filled(template, agent, inbound),
            (Some(Target::Agent(agent)), None) => format!("agent:{agent}:{}", own(self.bare())),
            (None, Some(template)) => self.filled(template, &self.agent, inbound),
            (None, None) => own(&self.key),
        };
        SessionKey::new(&key)
    }

    /// The stem without the agent that it may name.
    fn bare(&self) -> &str {
        let mut parts = self.key.splitn(3, ':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("agent"), Some(_), Some(rest)) => rest,
            _ => &self.key,
        }
    }

    fn filled(&self, template: &str, agent: &str, inbound: &Inbound) -> String {
        let person = inbound.person();
        let id = person.session_suffix();
        let phone = match &person {
            Identity::Phone(_) => format!("+{id}"),
            Identity::User(_) => id.clone(),
        };
        template
            .replace("{agent}", agent)
            .replace("{phone}", &phone)
            .replace("{id}", &id)
            .replace("{number}", inbound.number.as_str())
    }
}

#[cfg(test)]
mod tests {
    use model::{Content, MessageId, Source, Timestamp};

    use super::*;

    const ANN: &str = "+5491155551234";

    fn inbound(number: &str, from: &str) -> Inbound {
        Inbound {
            number: NumberId::new(number).unwrap(),
            id: MessageId::new("wamid.1").unwrap(),
            from: Identity::new(from).unwrap(),
            user: None,
            known_as: None,
            name: None,
            sent_at: Timestamp::from_seconds(1),
            content: Content::Text { body: "hi".into() },
            quoted: None,
            forwarded: false,
            source: Source::Poll,
        }
    }

    fn sessions(template: Option<&str>, isolation: bool) -> Sessions {
        Sessions {
            key: "main".to_owned(),
            isolation,
            template: template.map(str::to_owned),
            agent: "main".to_owned(),
        }
    }

    fn key(sessions: &Sessions, from: &str, route: Option<&Target>) -> String {
        sessions.of(&inbound("1", from), route).unwrap().to_string()
    }

    #[test]
    fn each_sender_has_a_session_by_the_whole_identity() {
        let own = sessions(None, true);
        assert_eq!(key(&own, ANN, None), "agent:main:main-wa-541155551234");
        assert_eq!(
            key(&own, "541155551234", None),
            "agent:main:main-wa-541155551234"
        );
        assert_ne!(key(&own, "MX.ab12c3", None), key(&own, "MX.AB12C3", None));
        assert_eq!(key(&sessions(None, false), ANN, None), "agent:main:main");
    }

    #[test]
    fn a_template_is_filled_in() {
        let own = sessions(Some("agent:{agent}:whatsapp:direct:{phone}"), true);
        assert_eq!(
            key(&own, ANN, None),
            "agent:main:whatsapp:direct:+541155551234"
        );
        let sales = Target::Agent("sales".to_owned());
        assert_eq!(
            key(&own, ANN, Some(&sales)),
            "agent:sales:whatsapp:direct:+541155551234"
        );
        let numbered = sessions(Some("{number}-{id}"), true);
        assert_eq!(key(&numbered, ANN, None), "agent:main:1-541155551234");
    }

    #[test]
    fn a_route_leads_to_an_agent_or_a_session() {
        let mut own = sessions(None, true);
        let sales = Target::Agent("sales".to_owned());
        assert_eq!(
            key(&own, ANN, Some(&sales)),
            "agent:sales:main-wa-541155551234"
        );
        own.key = "agent:main:desk".to_owned();
        assert_eq!(
            key(&own, ANN, Some(&sales)),
            "agent:sales:desk-wa-541155551234"
        );
        let desk = Target::Session("agent:sales:desk".to_owned());
        assert_eq!(
            key(&own, ANN, Some(&desk)),
            "agent:sales:desk-wa-541155551234"
        );
        own.isolation = false;
        assert_eq!(key(&own, ANN, Some(&desk)), "agent:sales:desk");
    }

    #[test]
    fn the_most_specific_route_wins() {
        let route =
            |number: Option<&str>, sender: Option<&str>, role: Option<&str>, agent: &str| Route {
                number: number.map(|number| NumberId::new(number).unwrap()),
                senders: sender
                    .map(|sender| Identity::new(sender).unwrap().canonical())
                    .into_iter()
                    .collect(),
                role: role.map(|role| Role(role.to_owned())),
                target: Target::Agent(agent.to_owned()),
            };
        let routes = Routes::new(vec![
            route(Some("1"), None, None, "number"),
            route(None, None, Some("admin"), "role"),
            route(Some("1"), None, Some("admin"), "role-on-number"),
            route(None, Some(ANN), None, "sender"),
            route(Some("2"), Some(ANN), None, "sender-elsewhere"),
        ]);
        let agent = |number: &str, from: &str, role: &str| match routes
            .of(&inbound(number, from), &Role(role.to_owned()))
        {
            Some(Target::Agent(agent)) => agent.clone(),
            Some(Target::Session(_)) | None => "default".to_owned(),
        };
        assert_eq!(agent("1", ANN, "admin"), "sender");
        assert_eq!(agent("2", ANN, "admin"), "sender-elsewhere");
        assert_eq!(agent("1", "+15551234567", "admin"), "role-on-number");
        assert_eq!(agent("3", "+15551234567", "admin"), "role");
        assert_eq!(agent("1", "+15551234567", "member"), "number");
        assert_eq!(agent("3", "+15551234567", "member"), "default");
    }
}
