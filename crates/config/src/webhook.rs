//! `[webhook]`: the port on which Kapso's pushes arrive, in the modes that have one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use secrecy::SecretString;

use crate::delivery::{Delivery, Mode};
use crate::draft::Draft;
use crate::key::{Key, Preset};
use crate::problem::{Problem, Wrong};
use crate::raw::Value;
use crate::read;
use crate::show::Shown;

pub(crate) static ADDR: Key = Key::new(
    "webhook.addr",
    &["KAPSO_WEBHOOK_ADDR"],
    Preset::Text(":18790"),
    "where pushed messages are accepted; in `tailscale` mode the default is `127.0.0.1:18790`",
);

pub(crate) static VERIFY_TOKEN: Key = Key::new(
    "webhook.verify_token",
    &["KAPSO_WEBHOOK_VERIFY_TOKEN"],
    Preset::Nothing,
    "what Meta's verification request has to show",
)
.secret();

pub(crate) static SECRET: Key = Key::new(
    "webhook.secret",
    &["KAPSO_WEBHOOK_SECRET"],
    Preset::Nothing,
    "the key of Kapso's signatures on pushed messages: `secret_key` of the webhook there; the bridge makes one where \
     it registers it",
)
.secret();

pub(crate) static APP_SECRET: Key = Key::new(
    "webhook.app_secret",
    &["KAPSO_WEBHOOK_APP_SECRET"],
    Preset::Nothing,
    "the key of Meta's signatures, the app secret of an app of your own; without it `webhook.secret` is tried",
)
.secret();

/// The port for pushed messages.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where to listen.
    pub addr: ListenAddress,
    /// What a verification request has to show.
    pub verify_token: Option<SecretString>,
    /// The key of `X-Webhook-Signature`, which Kapso puts on what it pushes (kapso.md 4.3).
    pub secret: Option<SecretString>,
    /// The key of `X-Hub-Signature-256`, which Meta puts on what it pushes itself (kapso.md 4.3). None means that
    /// `secret` is to be tried for that header too.
    pub app_secret: Option<SecretString>,
}

/// Where to listen: a port, on one address of this host or on all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenAddress {
    /// The address; none means every interface.
    pub ip: Option<IpAddr>,
    /// The port.
    pub port: u16,
}

/// Where Tailscale Funnel hands messages over: nobody else needs to reach it.
const BEHIND_FUNNEL: ListenAddress = ListenAddress {
    ip: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    port: 18790,
};

impl FromStr for ListenAddress {
    type Err = InvalidListenAddress;

    fn from_str(text: &str) -> Result<Self, InvalidListenAddress> {
        let (host, port) = text.trim().rsplit_once(':').ok_or(InvalidListenAddress)?;
        let port = port.parse().map_err(not_a_port)?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let ip = match (host, bare) {
            ("", _) => None,
            ("localhost", _) => Some(Ipv4Addr::LOCALHOST.into()),
            (_, Some(bare)) => Some(IpAddr::V6(bare.parse().map_err(not_an_ip)?)),
            (host, None) => Some(IpAddr::V4(host.parse().map_err(not_an_ip)?)),
        };
        Ok(Self { ip, port })
    }
}

fn not_an_ip(_: std::net::AddrParseError) -> InvalidListenAddress {
    InvalidListenAddress
}

fn not_a_port(_: std::num::ParseIntError) -> InvalidListenAddress {
    InvalidListenAddress
}

/// A text that is no address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an address to listen on")]
pub struct InvalidListenAddress;

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match self.ip {
            None => write!(f, ":{port}"),
            Some(IpAddr::V4(ip)) => write!(f, "{ip}:{port}"),
            Some(IpAddr::V6(ip)) => write!(f, "[{ip}]:{port}"),
        }
    }
}

/// An address to listen on.
pub(crate) fn listen_address(value: &Value) -> Result<ListenAddress, Wrong> {
    let text = read::text(value)?;
    text.parse().map_err(|invalid: InvalidListenAddress| {
        Wrong::new(
            format!("is {}, which {invalid}", read::quoted(&text)),
            "write :PORT for every interface, or IP:PORT, or [IPv6]:PORT, or localhost:PORT",
        )
    })
}

impl Webhook {
    pub(crate) fn check(draft: &mut Draft<'_>, delivery: Option<&Delivery>) -> Option<Self> {
        let behind_funnel = delivery.is_some_and(|delivery| delivery.mode == Mode::Tailscale);
        let addr = if behind_funnel && draft.raw().top.get(&ADDR).is_none() {
            Some(BEHIND_FUNNEL)
        } else {
            draft.get(&ADDR, listen_address)
        };
        let verify_token = draft.get(&VERIFY_TOKEN, read::secret);
        let secret = draft.get(&SECRET, read::secret);
        let app_secret = draft.get(&APP_SECRET, read::secret);
        Some(Self {
            addr: addr?,
            verify_token,
            secret,
            app_secret,
        })
    }

    /// `unsigned` is whether a number has no key, neither its own nor this section's. The bridge makes one where it
    /// registers its webhook itself.
    pub(crate) fn warning(&self, delivery: &Delivery, unsigned: bool) -> Option<Problem> {
        (delivery.mode.has_webhook() && !delivery.registers() && unsigned).then(|| Problem {
            key: SECRET.path.to_owned(),
            origin: None,
            what: "is not set, so a push without a signature that can be checked is only a hint, and its messages are \
                   read from Kapso's list"
                .to_owned(),
            remedy: "set delivery.public_url, so that the bridge registers its webhook with a key of its own; or make \
                     one with `openssl rand -hex 32`, and set it at Kapso's webhook as secret_key and here"
                .to_owned(),
        })
    }

    pub(crate) fn show(&self, shown: &mut Shown) {
        shown.text(&ADDR, &self.addr.to_string());
        shown.secret(&VERIFY_TOKEN, self.verify_token.as_ref());
        shown.secret(&SECRET, self.secret.as_ref());
        shown.secret(&APP_SECRET, self.app_secret.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_stand_alone_and_an_address_is_numeric() {
        for good in [":18790", "127.0.0.1:1", "[::1]:65535", "0.0.0.0:0"] {
            assert_eq!(
                good.parse::<ListenAddress>().map(|addr| addr.to_string()),
                Ok(good.to_owned())
            );
        }
        assert_eq!(
            "localhost:80"
                .parse::<ListenAddress>()
                .map(|addr| addr.to_string()),
            Ok("127.0.0.1:80".to_owned())
        );
        for bad in ["18790", "host:1", "1.2.3.4:", "1.2.3.4:70000", "::1:80", ""] {
            assert_eq!(
                bad.parse::<ListenAddress>(),
                Err(InvalidListenAddress),
                "{bad}"
            );
        }
    }
}
