//! The first frame of a connection: `connect`, judged as the release judges it (openclaw.md 1, 2 and 6).

use serde::Deserialize;

use super::device::{Device, Signed, Standing};
use super::faults::{ConnectFault, Rejection};
use super::frame::{Reply, Request};
use super::gateway::Gateway;
use super::hello;
use super::release::Release;

/// The longest first frame, in bytes.
pub(super) const LONGEST_FIRST: usize = 64 * 1024;

/// The client ids that every release knows; another one is refused.
const CLIENTS: [&str; 13] = [
    "webchat-ui",
    "openclaw-control-ui",
    "openclaw-tui",
    "webchat",
    "cli",
    "gateway-client",
    "openclaw-macos",
    "openclaw-ios",
    "openclaw-android",
    "node-host",
    "test",
    "fingerprint",
    "openclaw-probe",
];
/// The client modes that every release knows.
const MODES: [&str; 7] = ["webchat", "cli", "ui", "backend", "node", "probe", "test"];

/// A connection that is let in.
#[derive(Debug)]
pub(super) struct Welcome {
    pub(super) hello: String,
    pub(super) scopes: Vec<String>,
}

/// A connection that is turned away.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) frame: Option<String>,
    pub(super) code: u16,
    pub(super) reason: String,
}

/// What is known of a connection before its first frame.
#[derive(Debug)]
pub(super) struct Caller {
    /// The nonce of the challenge.
    pub(super) nonce: String,
    /// Whether it sent an `Origin` header.
    pub(super) origin: bool,
    /// What goes wrong with its connect.
    pub(super) fault: Option<ConnectFault>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connect {
    min_protocol: u32,
    max_protocol: u32,
    client: Client,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    auth: Option<Auth>,
    #[serde(default)]
    device: Option<Device>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Client {
    id: String,
    mode: String,
    #[serde(default)]
    platform: String,
    #[serde(default)]
    device_family: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Auth {
    token: Option<String>,
    device_token: Option<String>,
}

/// What a connect is granted.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) role: String,
    pub(super) scopes: Vec<String>,
    /// `token` or `device-token`.
    pub(super) method: &'static str,
    /// The device's own token and when it was issued, where it is paired.
    pub(super) device: Option<(String, model::Timestamp)>,
}

/// Judges the first frame.
pub(super) fn judge(gateway: &Gateway, caller: &Caller, text: &str) -> Result<Welcome, Refusal> {
    let Some(request) = Request::read(text) else {
        let json = serde_json::from_str::<serde_json::Value>(text).is_ok();
        return Err(if json {
            closing(None, &Rejection::invalid("invalid request frame"), 1008)
        } else {
            // What is no JSON is closed without a word (recorded in `02`).
            silent(1000)
        });
    };
    let id = request.id.clone();
    if let Some(fault) = &caller.fault {
        break_on(gateway, fault, &id)?;
    }
    let refuse = |(rejection, code)| closing(Some(&id), &rejection, code);
    let mut grant = check(gateway, caller, request).map_err(refuse)?;
    if matches!(caller.fault, Some(ConnectFault::EmptyScopes)) {
        grant.scopes.clear();
    }
    let hello = Reply::done(hello::payload(gateway, &grant)).frame(&id);
    Ok(Welcome {
        hello,
        scopes: grant.scopes,
    })
}

/// A refusal while the process starts.
fn starting() -> Rejection {
    let mut rejection = Rejection::new("UNAVAILABLE", "gateway starting; retry shortly");
    rejection.retry_after = Some(std::time::Duration::from_millis(500));
    rejection.details = Some(serde_json::json!({"reason": "startup-sidecars"}));
    rejection
}

/// Refuses where the fault says so; other faults are for later.
fn break_on(gateway: &Gateway, fault: &ConnectFault, id: &str) -> Result<(), Refusal> {
    let (rejection, code) = match fault {
        ConnectFault::EmptyScopes | ConnectFault::EventFirst | ConnectFault::Mute => return Ok(()),
        ConnectFault::Starting => (starting(), 1013),
        ConnectFault::TokenMismatch => (token_mismatch(), 1008),
        ConnectFault::NotPaired => {
            let Standing::Pending { request } = gateway.pairing.standing("any") else {
                return Ok(());
            };
            (not_paired(&request, "", &[]), 1008)
        }
        ConnectFault::ProtocolMismatch => (protocol_mismatch(gateway.release, 0, 0), 1002),
        ConnectFault::BareFailure => {
            return Err(Refusal {
                frame: Some(Reply::bare().frame(id)),
                code: 1008,
                reason: String::new(),
            });
        }
        ConnectFault::Reject(rejection, code) => (rejection.clone(), *code),
    };
    Err(closing(Some(id), &rejection, code))
}

type Refused = (Rejection, u16);

fn check(gateway: &Gateway, caller: &Caller, request: Request) -> Result<Grant, Refused> {
    if request.method != "connect" {
        let message = "invalid handshake: first request must be connect";
        return Err((Rejection::invalid(message), 1008));
    }
    if !gateway.is_up() {
        return Err((starting(), 1013));
    }
    let connect: Connect = serde_json::from_value(request.params).map_err(|error| {
        (
            Rejection::invalid(format!("invalid connect params: {error}")),
            1008,
        )
    })?;
    for (field, known) in [
        ("id", CLIENTS.contains(&connect.client.id.as_str())),
        ("mode", MODES.contains(&connect.client.mode.as_str())),
    ] {
        if !known {
            let message = format!(
                "invalid connect params: at /client/{field}: must be equal to one of the allowed values"
            );
            return Err((Rejection::invalid(message), 1008));
        }
    }
    let (min, max) = (connect.min_protocol, connect.max_protocol);
    if !(min..=max).contains(&gateway.release.protocol()) {
        return Err((protocol_mismatch(gateway.release, min, max), 1002));
    }
    if caller.origin {
        let message = "origin not allowed (open the Control UI from the gateway host or allow it in \
                       gateway.controlUi.allowedOrigins)";
        return Err((
            Rejection::invalid(message).detail("CONTROL_UI_ORIGIN_NOT_ALLOWED"),
            1008,
        ));
    }
    authorize(gateway, caller, connect).map_err(|rejection| (rejection, 1008))
}

/// Who may do what: token, device, and whether the gateway is reached from afar.
fn authorize(gateway: &Gateway, caller: &Caller, connect: Connect) -> Result<Grant, Rejection> {
    let auth = connect.auth.unwrap_or_default();
    let role = connect.role.unwrap_or_else(|| "operator".to_owned());
    let now = gateway.clock.now();
    let given = auth.token.as_deref().or(auth.device_token.as_deref());
    if let Some(device) = &connect.device {
        let signed = Signed {
            client_id: &connect.client.id,
            client_mode: &connect.client.mode,
            role: &role,
            scopes: &connect.scopes,
            token: given.unwrap_or_default(),
            platform: &connect.client.platform,
            family: &connect.client.device_family,
        };
        device.verify(&signed, &caller.nonce, now)?;
    }
    let standing = match &connect.device {
        Some(device) if gateway.remote => Some(gateway.pairing.standing(&device.id)),
        Some(_) | None => None,
    };
    let paired = match &standing {
        Some(Standing::Paired { token, issued_at }) => Some((token.clone(), *issued_at)),
        Some(Standing::Pending { .. }) | None => None,
    };
    let by_device = paired
        .as_ref()
        .is_some_and(|(token, _)| given == Some(token));
    if !by_device {
        check_token(gateway, given, connect.device.is_some())?;
    }
    if let (Some(Standing::Pending { request }), Some(device)) = (&standing, &connect.device) {
        return Err(not_paired(request, &device.id, &connect.scopes));
    }
    // From afar a token alone lets in, but gives no scope.
    let bare = gateway.remote && connect.device.is_none();
    Ok(Grant {
        role,
        scopes: if bare { Vec::new() } else { connect.scopes },
        method: if by_device { "device-token" } else { "token" },
        device: paired,
    })
}

fn check_token(gateway: &Gateway, given: Option<&str>, has_device: bool) -> Result<(), Rejection> {
    let Some(expected) = gateway.token.as_deref() else {
        return Ok(());
    };
    match given {
        Some(given) if given == expected => Ok(()),
        Some(_) => Err(token_mismatch()),
        None if has_device => {
            let message = "unauthorized: gateway token missing (provide gateway auth token)";
            Err(Rejection::invalid(message).detail("AUTH_TOKEN_MISSING"))
        }
        None => Err(Rejection::new("NOT_PAIRED", "device identity required")
            .detail("DEVICE_IDENTITY_REQUIRED")),
    }
}

fn token_mismatch() -> Rejection {
    let message = "unauthorized: gateway token mismatch (provide gateway auth token)";
    let mut rejection = Rejection::invalid(message);
    rejection.details = Some(serde_json::json!({
        "code": "AUTH_TOKEN_MISMATCH",
        "authReason": "token_mismatch",
        "canRetryWithDeviceToken": false,
        "recommendedNextStep": "update_auth_credentials",
    }));
    rejection
}

fn not_paired(request: &str, device: &str, scopes: &[String]) -> Rejection {
    let message = "pairing required: device is not approved yet";
    let mut rejection = Rejection::new("NOT_PAIRED", message);
    rejection.details = Some(serde_json::json!({
        "code": "PAIRING_REQUIRED",
        "reason": "not-paired",
        "requestId": request,
        "remediationHint": "Approve this device from the pending pairing requests.",
        "deviceId": device,
        "requestedRole": "operator",
        "requestedScopes": scopes,
    }));
    rejection
}

fn protocol_mismatch(release: Release, min: u32, max: u32) -> Rejection {
    let mut rejection = Rejection::invalid("protocol mismatch");
    let expected = release.protocol();
    rejection.details = Some(match release {
        Release::V2026_5_7 => serde_json::json!({ "expectedProtocol": expected }),
        Release::V2026_7_35 | Release::V2026_9_6 => serde_json::json!({
            "code": "PROTOCOL_MISMATCH",
            "clientMinProtocol": min,
            "clientMaxProtocol": max,
            "expectedProtocol": expected,
            "minimumProbeProtocol": 3,
        }),
    });
    rejection
}

fn closing(id: Option<&str>, rejection: &Rejection, code: u16) -> Refusal {
    let request = rejection
        .details
        .as_ref()
        .and_then(|details| details.get("requestId")?.as_str());
    let reason = match (code, request) {
        (1013, _) => "gateway starting".to_owned(),
        (_, Some(request)) => format!("{} (requestId: {request})", rejection.message),
        (_, None) => rejection.message.clone(),
    };
    Refusal {
        frame: id.map(|id| Reply::refused(rejection).frame(id)),
        code,
        reason,
    }
}

/// Closed without a frame.
pub(super) const fn silent(code: u16) -> Refusal {
    Refusal {
        frame: None,
        code,
        reason: String::new(),
    }
}
