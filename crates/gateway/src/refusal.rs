//! Why there is no connection, what the operator does about it, and how soon it is tried again.
//!
//! [`Refusal::retry`] is the one place that decides between "soon, with backoff" and "slowly, the operator must act".
//! Nothing is ever given up: an operator who repairs the gateway need not restart the bridge.

use std::fmt;
use std::time::Duration;

use crate::frames::WireError;

/// The oldest protocol that this program speaks (OpenClaw up to 2026.5.7).
pub(crate) const OLDEST_PROTOCOL: u32 = 3;
/// The newest protocol that this program speaks (OpenClaw 2026.5.12 and newer).
pub(crate) const NEWEST_PROTOCOL: u32 = 4;

/// Close code of a gateway that restarts.
pub(crate) const CLOSE_RESTART: u16 = 1012;
/// Close code of a gateway that is not ready yet.
const CLOSE_STARTING: u16 = 1013;

/// The shortest wait that a gateway's `retryAfterMs` can ask for: zero would be a busy loop.
const SHORTEST_RETRY_AFTER: Duration = Duration::from_millis(100);
/// The longest wait that a gateway's `retryAfterMs` can ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// An attempt to connect that failed, or a connection that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of failure it is.
    pub reason: Reason,
    /// The gateway's code for it (`details.code`, else `code`), the close code, or this program's own word.
    pub code: String,
    /// The gateway's or the system's sentence. Never a secret, never a message text.
    pub message: String,
}

/// The kinds of failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The shared token is wrong, missing, or not what the gateway is set up for.
    WrongToken,
    /// The stored device token is no longer good, or was approved for fewer scopes.
    StaleDeviceToken,
    /// The operator has to approve this device.
    PairingRequired {
        /// The name of the pending request, for `openclaw devices approve`.
        request_id: Option<String>,
    },
    /// The gateway speaks none of this program's protocols.
    ProtocolMismatch {
        /// The gateway's protocol, where it says so.
        theirs: Option<u32>,
    },
    /// The connection was accepted, but may not do what the bridge needs.
    MissingScopes {
        /// What was granted.
        granted: Vec<String>,
    },
    /// The signature's instant is too far from the gateway's clock, though it was the gateway's own: a proxy holds
    /// frames back.
    SignatureExpired,
    /// The gateway does not accept the device's proof.
    DeviceRejected,
    /// Too many failed attempts.
    RateLimited {
        /// How long the gateway asks to wait.
        retry_after: Option<Duration>,
    },
    /// The gateway is starting.
    Starting {
        /// How long the gateway asks to wait.
        retry_after: Option<Duration>,
    },
    /// The gateway is restarting or stopping.
    Restarting {
        /// When it expects to be back.
        retry_after: Option<Duration>,
    },
    /// Nothing answers at the address, or not in time.
    Unreachable,
    /// Something answers at the address, but it is no gateway, or a proxy does not let us through.
    NotAGateway {
        /// The HTTP status, where there was one.
        status: Option<u16>,
    },
    /// The certificate of a `wss` address is not accepted.
    Untrusted,
    /// The connection ended.
    Closed {
        /// The close code; none when the socket just broke.
        code: Option<u16>,
    },
    /// Nothing was heard for too long.
    Silent,
    /// A reason that this program does not know.
    Other,
}

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// With backoff.
    Soon,
    /// After this time, as the gateway asked.
    After(Duration),
    /// Now and then: the operator has to do something first.
    Slowly,
}

impl Refusal {
    pub(crate) fn new(reason: Reason, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            reason,
            code: code.into(),
            message: message.into(),
        }
    }

    /// What the operator does about it, as a sentence.
    pub fn remedy(&self) -> String {
        match &self.reason {
            Reason::WrongToken => "set gateway.token to the value of gateway.auth.token in OpenClaw's configuration".to_owned(),
            Reason::StaleDeviceToken => "set gateway.token to the gateway's token once, so that a new device token is issued, \
                 or remove the stored device token and approve the device again (openclaw devices list)".to_owned(),
            Reason::PairingRequired { request_id: Some(id) } => {
                format!("on the gateway's host run: openclaw devices approve {id}")
            }
            Reason::PairingRequired { request_id: None } => {
                "on the gateway's host run: openclaw devices list, then openclaw devices approve <requestId>".to_owned()
            }
            Reason::ProtocolMismatch { .. } => format!(
                "use an OpenClaw release that speaks protocol {OLDEST_PROTOCOL} or {NEWEST_PROTOCOL}, or a newer release of this program"
            ),
            Reason::MissingScopes { .. } => "approve this device with operator.read and operator.write \
                 (openclaw devices list, openclaw devices approve <requestId>)".to_owned(),
            Reason::SignatureExpired => "check the clocks of both hosts and any proxy between them".to_owned(),
            Reason::DeviceRejected => "remove this device at the gateway (openclaw devices list) and approve it again".to_owned(),
            Reason::RateLimited { .. } => "wait; correct gateway.token if it is wrong".to_owned(),
            Reason::Starting { .. } | Reason::Restarting { .. } => "nothing, the gateway will be back".to_owned(),
            Reason::Unreachable => "start the gateway (openclaw gateway status), or correct gateway.url".to_owned(),
            Reason::NotAGateway { status: Some(401 | 403) } => "let the proxy in front of the gateway pass this host, and name \
                 the proxy in gateway.trustedProxies of OpenClaw's configuration".to_owned(),
            Reason::NotAGateway { .. } => "correct gateway.url: what answers there is no OpenClaw gateway".to_owned(),
            Reason::Untrusted => "install the issuer of the gateway's certificate on this host, or correct gateway.url".to_owned(),
            Reason::Closed { .. } | Reason::Silent => "nothing, it is tried again; look at the gateway's log if it goes on".to_owned(),
            Reason::Other => "look at the gateway's log".to_owned(),
        }
    }

    /// Decides when to try again.
    pub(crate) fn retry(&self) -> Retry {
        let asked = |wait: &Option<Duration>, otherwise| {
            wait.map_or(otherwise, |wait| {
                Retry::After(wait.clamp(SHORTEST_RETRY_AFTER, LONGEST_RETRY_AFTER))
            })
        };
        match &self.reason {
            Reason::Starting { retry_after } | Reason::Restarting { retry_after } => {
                asked(retry_after, Retry::Soon)
            }
            Reason::RateLimited { retry_after } => asked(retry_after, Retry::Slowly),
            Reason::Unreachable | Reason::Closed { .. } | Reason::Silent => Retry::Soon,
            // A proxy says these while the gateway behind it is away.
            Reason::NotAGateway {
                status: Some(502..=504),
            } => Retry::Soon,
            Reason::NotAGateway { .. }
            | Reason::WrongToken
            | Reason::StaleDeviceToken
            | Reason::PairingRequired { .. }
            | Reason::ProtocolMismatch { .. }
            | Reason::MissingScopes { .. }
            | Reason::SignatureExpired
            | Reason::DeviceRejected
            | Reason::Untrusted
            | Reason::Other => Retry::Slowly,
        }
    }

    /// Whether this ended a connection because the gateway goes down in order.
    pub(crate) fn is_restart(&self) -> bool {
        matches!(self.reason, Reason::Restarting { .. })
    }

    /// Whether the gateway could not verify the signature; releases before protocol payload v3 say so.
    pub(crate) fn doubts_signature(&self) -> bool {
        self.reason == Reason::DeviceRejected
            && (self.code == "DEVICE_AUTH_SIGNATURE_INVALID"
                || self.message.contains("signature invalid"))
    }

    /// The refusal that an error answer to `connect` means. `stored` says that the stored device token was shown.
    pub(crate) fn from_answer(error: &WireError, stored: bool) -> Self {
        let code = error.details.code.as_deref().unwrap_or(&error.code);
        let message = match error.message.as_str() {
            "" => "refused without a reason",
            message => message,
        };
        let reason = reason_of_code(code, error, stored)
            .or_else(|| reason_of_text(&error.message, stored))
            .unwrap_or(Reason::Other);
        Self::new(reason, code, message)
    }

    /// The refusal that the end of a connection means.
    pub(crate) fn from_close(code: u16, text: &str) -> Self {
        let reason = match code {
            CLOSE_RESTART => Reason::Restarting { retry_after: None },
            CLOSE_STARTING => Reason::Starting { retry_after: None },
            other => Reason::Closed { code: Some(other) },
        };
        Self::new(reason, code.to_string(), text)
    }

    /// The refusal that a close before any answer to `connect` means.
    pub(crate) fn from_early_close(code: u16, text: &str, stored: bool) -> Self {
        let mut refusal = Self::from_close(code, text);
        if matches!(refusal.reason, Reason::Closed { .. })
            && let Some(told) = reason_of_text(text, stored)
        {
            refusal.reason = told;
        }
        refusal
    }
}

fn token(stored: bool) -> Reason {
    if stored {
        Reason::StaleDeviceToken
    } else {
        Reason::WrongToken
    }
}

fn reason_of_code(code: &str, error: &WireError, stored: bool) -> Option<Reason> {
    let retry_after = error.retry_after();
    Some(match code {
        "AUTH_RATE_LIMITED" => Reason::RateLimited { retry_after },
        "AUTH_SCOPE_MISMATCH" => Reason::StaleDeviceToken,
        "PAIRING_REQUIRED" => Reason::PairingRequired {
            request_id: error.details.request_id.clone(),
        },
        "PROTOCOL_MISMATCH" => Reason::ProtocolMismatch {
            theirs: error.details.expected_protocol,
        },
        "DEVICE_AUTH_SIGNATURE_EXPIRED" => Reason::SignatureExpired,
        "UNAVAILABLE" => match error.details.reason.as_deref() {
            Some("gateway-restarting" | "gateway-suspending") => Reason::Restarting { retry_after },
            _ => Reason::Starting { retry_after },
        },
        code if code.starts_with("DEVICE_") => Reason::DeviceRejected,
        code if code.starts_with("AUTH_") => token(stored),
        // 2026.5.7 names the protocol, but not the kind of error.
        _ => Reason::ProtocolMismatch {
            theirs: Some(error.details.expected_protocol?),
        },
    })
}

/// Releases before 2026.3 give sentences without codes, and so do close frames.
fn reason_of_text(text: &str, stored: bool) -> Option<Reason> {
    let text = text.to_ascii_lowercase();
    let request_id = || {
        let (_, rest) = text.split_once("requestid: ")?;
        Some(rest.split([')', ' ']).next()?.to_owned())
    };
    Some(
        if text.contains("pairing required") || text.contains("not paired") {
            Reason::PairingRequired {
                request_id: request_id(),
            }
        } else if text.contains("protocol mismatch") {
            Reason::ProtocolMismatch { theirs: None }
        } else if text.contains("signature expired") {
            Reason::SignatureExpired
        } else if text.starts_with("device ") {
            Reason::DeviceRejected
        } else if text.starts_with("unauthorized") {
            token(stored)
        } else {
            return None;
        },
    )
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if !self.code.is_empty() {
            write!(f, " [{}]", self.code)?;
        }
        Ok(())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ours = format_args!("{OLDEST_PROTOCOL} to {NEWEST_PROTOCOL}").to_string();
        match self {
            Self::WrongToken => f.write_str("the gateway does not accept the token"),
            Self::StaleDeviceToken => {
                f.write_str("the gateway does not accept the stored device token")
            }
            Self::PairingRequired { .. } => {
                f.write_str("the gateway wants this device to be approved")
            }
            Self::ProtocolMismatch {
                theirs: Some(theirs),
            } => {
                write!(
                    f,
                    "the gateway speaks protocol {theirs}, this program {ours}"
                )
            }
            Self::ProtocolMismatch { theirs: None } => {
                write!(f, "the gateway does not speak protocol {ours}")
            }
            Self::MissingScopes { granted } if granted.is_empty() => {
                f.write_str("the gateway granted no scopes")
            }
            Self::MissingScopes { granted } => {
                write!(f, "the gateway granted only {}", granted.join(", "))
            }
            Self::SignatureExpired => {
                f.write_str("the gateway finds the device's signature too old")
            }
            Self::DeviceRejected => f.write_str("the gateway does not accept this device"),
            Self::RateLimited { .. } => f.write_str("the gateway takes no more attempts for now"),
            Self::Starting { .. } => f.write_str("the gateway is starting"),
            Self::Restarting { .. } => f.write_str("the gateway is restarting"),
            Self::Unreachable => f.write_str("the gateway does not answer"),
            Self::NotAGateway {
                status: Some(status),
            } => {
                write!(f, "the address answers with HTTP {status}")
            }
            Self::NotAGateway { status: None } => f.write_str("what answers is no gateway"),
            Self::Untrusted => f.write_str("the gateway's certificate is not accepted"),
            Self::Closed { .. } => f.write_str("the connection ended"),
            Self::Silent => f.write_str("nothing was heard from the gateway"),
            Self::Other => f.write_str("the gateway refuses the connection"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_codes_say_how_soon_to_come_back() {
        let closed = |code, text| Refusal::from_close(code, text);
        for code in [1000, 1001, 1006, 1008, 1009, 1011, 4000] {
            let refusal = closed(code, "");
            assert_eq!(refusal.reason, Reason::Closed { code: Some(code) });
            assert_eq!(
                (refusal.retry(), refusal.is_restart()),
                (Retry::Soon, false)
            );
        }
        let restart = closed(1012, "service restart");
        assert_eq!((restart.retry(), restart.is_restart()), (Retry::Soon, true));
        let starting = closed(1013, "gateway starting");
        assert_eq!(
            (&starting.reason, starting.retry()),
            (&Reason::Starting { retry_after: None }, Retry::Soon)
        );
    }

    #[test]
    fn before_the_hello_a_close_text_counts() {
        let early = |code, text, stored| Refusal::from_early_close(code, text, stored).reason;
        assert_eq!(
            early(1002, "protocol mismatch", false),
            Reason::ProtocolMismatch { theirs: None }
        );
        let unauthorized = "unauthorized: gateway token mismatch (provide gateway auth token)";
        assert_eq!(early(1008, unauthorized, false), Reason::WrongToken);
        assert_eq!(early(1008, unauthorized, true), Reason::StaleDeviceToken);
        assert_eq!(
            early(1008, "device signature expired", false),
            Reason::SignatureExpired
        );
        assert_eq!(early(1000, "", false), Reason::Closed { code: Some(1000) });
        assert_eq!(
            early(1013, "gateway starting", false),
            Reason::Starting { retry_after: None }
        );
    }

    #[test]
    fn the_gateway_may_ask_to_wait_within_bounds() {
        let asked = |millis| {
            let retry_after = Some(Duration::from_millis(millis));
            Refusal::new(Reason::Starting { retry_after }, "", "").retry()
        };
        assert_eq!(asked(0), Retry::After(SHORTEST_RETRY_AFTER));
        assert_eq!(asked(500), Retry::After(Duration::from_millis(500)));
        assert_eq!(asked(u64::MAX), Retry::After(LONGEST_RETRY_AFTER));
        let limited =
            |retry_after| Refusal::new(Reason::RateLimited { retry_after }, "", "").retry();
        assert_eq!(limited(None), Retry::Slowly);
    }

    #[test]
    fn what_the_operator_must_do_is_not_hammered() {
        for reason in [
            Reason::WrongToken,
            Reason::StaleDeviceToken,
            Reason::PairingRequired { request_id: None },
            Reason::ProtocolMismatch { theirs: Some(9) },
            Reason::MissingScopes {
                granted: Vec::new(),
            },
            Reason::DeviceRejected,
            Reason::NotAGateway { status: Some(403) },
        ] {
            assert_eq!(
                Refusal::new(reason.clone(), "", "").retry(),
                Retry::Slowly,
                "{reason:?}"
            );
        }
        for reason in [
            Reason::Unreachable,
            Reason::Silent,
            Reason::NotAGateway { status: Some(502) },
        ] {
            assert_eq!(
                Refusal::new(reason.clone(), "", "").retry(),
                Retry::Soon,
                "{reason:?}"
            );
        }
    }
}
