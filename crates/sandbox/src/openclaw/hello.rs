//! The hello frame: what the gateway says of itself to a client that it lets in (recorded in `11-device-connect`).

use serde_json::json;
use uuid::Uuid;

use super::gateway::Gateway;
use super::handshake::Grant;
use super::json::Object;
use super::methods;
use super::release::Release;

/// The largest frame that the gateway takes.
pub(super) const LARGEST_FRAME: usize = 26_214_400;

/// The payload of `hello-ok`.
pub(super) fn payload(gateway: &Gateway, grant: &Grant) -> Object {
    let release = gateway.release;
    let hello = Object::new()
        .with("type", "hello-ok")
        .with("protocol", release.protocol())
        .nest("server", server(gateway))
        .nest("features", features(release))
        .nest("snapshot", snapshot(gateway));
    let surfaces = json!({"canvas": format!("{}/__openclaw__/cap/none", gateway.http_base())});
    let hello = match release {
        Release::V2026_5_7 => hello.with("canvasHostUrl", &surfaces["canvas"]),
        Release::V2026_7_35 => hello.with("pluginSurfaceUrls", surfaces),
        Release::V2026_9_6 => hello
            .raw("controlUiWidgetKinds", "[]")
            .raw("controlUiLinkReaders", "[]")
            .with("pluginSurfaceUrls", surfaces),
    };
    hello
        .nest("auth", auth(release, grant))
        .nest("policy", policy(gateway))
}

fn server(gateway: &Gateway) -> Object {
    let modern = gateway.release == Release::V2026_9_6;
    Object::new()
        .with("version", gateway.release.version())
        .when(modern, |o| {
            o.with("buildId", format!("{}-sandbox", gateway.release.version()))
                .with("bootId", gateway.memory.boot().id)
                .with("controlUiBuildSource", "bundled")
        })
        .with("connId", Uuid::new_v4().to_string())
}

fn features(release: Release) -> Object {
    let capabilities: &[&str] = match release {
        Release::V2026_5_7 => &[],
        Release::V2026_7_35 => &["chat-send-routing-contract"],
        Release::V2026_9_6 => &["chat-send-routing-contract", "model-catalog-snapshot"],
    };
    Object::new()
        .with("methods", methods::EMULATED)
        .with("events", release.events())
        .when(release >= Release::V2026_7_35, |o| {
            o.with("capabilities", capabilities)
        })
}

fn snapshot(gateway: &Gateway) -> Object {
    let release = gateway.release;
    let modern = release == Release::V2026_9_6;
    let now = gateway.clock.now();
    let defaults = Object::new()
        .with("defaultAgentId", "main")
        .when(modern, |o| {
            o.with("modelConfigured", true)
                .with("ownership", "sole")
                .with("selectionRequired", false)
        })
        .with("mainKey", "main")
        .with("mainSessionKey", "agent:main:main")
        .with("scope", "per-sender");
    let update = Object::new()
        .with("currentVersion", release.version())
        .with("latestVersion", Release::V2026_9_6.version())
        .with("channel", "latest");
    Object::new()
        .when(modern, |o| {
            o.with("suspension", json!({"phase": "accepting"}))
        })
        .raw("presence", "[]")
        .nest("health", methods::health(now))
        .with("stateVersion", json!({"presence": 1, "health": 1}))
        .with(
            "uptimeMs",
            now.since(gateway.memory.boot().started_at).as_millis(),
        )
        .when(modern, |o| o.with("appliedConfigHash", "sandbox"))
        .nest("sessionDefaults", defaults)
        .when(!modern, |o| o.nest("updateAvailable", update))
        .when(modern, |o| {
            o.with(
                "updateSchedule",
                json!({"channel": "stable", "autoEnabled": false}),
            )
        })
}

fn auth(release: Release, grant: &Grant) -> Object {
    let modern = release == Release::V2026_9_6;
    let (token, issued) = grant.device.clone().unzip();
    Object::new()
        .when(modern, |o| o.with("method", grant.method))
        .with("role", &grant.role)
        .with("scopes", &grant.scopes)
        .when(modern, |o| o.with("recoveryScope", "sandbox"))
        .maybe("deviceToken", token)
        .maybe("issuedAtMs", issued)
}

fn policy(gateway: &Gateway) -> Object {
    let modern = gateway.release == Release::V2026_9_6;
    Object::new()
        .with("maxPayload", LARGEST_FRAME)
        .with("maxBufferedBytes", 52_428_800)
        .with("tickIntervalMs", gateway.tick.as_millis())
        .when(modern, |o| {
            o.with(
                "attachments",
                json!({"maxBytes": 19_464_192, "maxImageBytes": 6_291_456}),
            )
            .with(
                "allowedSessionVisibilities",
                ["shared", "read-only", "suggest", "draft"],
            )
            .with("hasMultipleSessionSharingIdentities", false)
        })
}
