//! The bridge's report as a screen. Every field is optional: the poller may be of another version.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Report {
    status: String,
    version: String,
    pid: u32,
    uptime_s: u64,
    kapso: Kapso,
    gateway: Gateway,
    store: Store,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Kapso {
    ok: bool,
    last_success_s: Option<u64>,
    error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Gateway {
    ok: bool,
    state: String,
    version: Option<String>,
    protocol: Option<u32>,
    scopes: Vec<String>,
    error: Option<String>,
    remedy: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Store {
    ok: bool,
    messages: BTreeMap<String, u64>,
    turns: BTreeMap<String, u64>,
    outgoing: BTreeMap<String, u64>,
    oldest_received_s: Option<u64>,
    oldest_turn_s: Option<u64>,
    oldest_outgoing_s: Option<u64>,
    set_aside: Vec<SetAside>,
    error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SetAside {
    kind: String,
    reason: String,
    count: u64,
}

/// How many reasons for setting aside are shown; `--json` has all.
const REASONS: usize = 5;

/// Whether everything works, and the screen.
pub(super) fn screen(json: &Value) -> (bool, String) {
    let report = Report::deserialize(json).unwrap_or_default();
    let mut screen = format!(
        "kapso-whatsapp {}: {}, up {} (pid {})\n\n",
        report.version,
        report.status,
        age(report.uptime_s),
        report.pid
    );
    let mut line = |name: &str, text: String| {
        // Writing to a String does not fail.
        let _ = writeln!(screen, "{name:<12}{text}");
    };
    line("whatsapp", whatsapp(&report.kapso));
    line("gateway", gateway(&report.gateway));
    if let Some(remedy) = &report.gateway.remedy {
        line("", format!("→ {remedy}"));
    }
    line(
        "journal",
        verdict(report.store.ok, report.store.error.as_deref()),
    );
    line(
        "  messages",
        depths(&report.store.messages, report.store.oldest_received_s),
    );
    line(
        "  turns",
        depths(&report.store.turns, report.store.oldest_turn_s),
    );
    line(
        "  replies",
        depths(&report.store.outgoing, report.store.oldest_outgoing_s),
    );
    for (place, aside) in report.store.set_aside.iter().take(REASONS).enumerate() {
        let name = if place == 0 { "set aside" } else { "" };
        line(
            name,
            format!(
                "{} × {}: {}",
                aside.count,
                aside.kind.replace('_', " "),
                aside.reason
            ),
        );
    }
    (report.status == "ok", screen)
}

fn whatsapp(kapso: &Kapso) -> String {
    let read = match kapso.last_success_s {
        Some(seconds) => format!("list read {} ago", age(seconds)),
        None => "list not read yet".to_owned(),
    };
    format!("{}, {read}", verdict(kapso.ok, kapso.error.as_deref()))
}

fn gateway(gateway: &Gateway) -> String {
    let mut text = match &gateway.error {
        Some(error) => format!("{}: {error}", gateway.state),
        None => gateway.state.clone(),
    };
    if let Some(version) = &gateway.version {
        let _ = write!(text, ", OpenClaw {version}");
    }
    if let Some(protocol) = gateway.protocol {
        let _ = write!(text, ", protocol {protocol}");
    }
    if gateway.ok && !gateway.scopes.is_empty() {
        let _ = write!(text, ", {}", gateway.scopes.join(" "));
    }
    text
}

fn verdict(ok: bool, error: Option<&str>) -> String {
    match (ok, error) {
        (true, _) => "ok".to_owned(),
        (false, Some(error)) => error.to_owned(),
        (false, None) => "not ok".to_owned(),
    }
}

fn depths(by_state: &BTreeMap<String, u64>, oldest: Option<u64>) -> String {
    let counts: Vec<String> = by_state
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let counts = if counts.is_empty() {
        "none".to_owned()
    } else {
        counts.join(", ")
    };
    match oldest {
        Some(seconds) => format!("{counts}; the oldest waits for {}", age(seconds)),
        None => counts,
    }
}

/// A time in its two largest units.
fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refused_gateway_is_shown_with_its_remedy_on_one_screen() {
        let json = json!({
            "status": "degraded", "version": "0.1.0", "pid": 7, "uptime_s": 11_525,
            "kapso": {"ok": true, "last_success_s": 4},
            "gateway": {"ok": false, "state": "refused", "scopes": [], "error": "the token is wrong", "remedy": "set it"},
            "store": {"ok": true, "messages": {"received": 2}, "oldest_received_s": 75,
                      "set_aside": [{"kind": "send_failed", "reason": "131047", "count": 3}]},
        });
        let expected = "\
kapso-whatsapp 0.1.0: degraded, up 3 h 12 min (pid 7)

whatsapp    ok, list read 4 s ago
gateway     refused: the token is wrong
            → set it
journal     ok
  messages  2 received; the oldest waits for 1 min 15 s
  turns     none
  replies   none
set aside   3 × send failed: 131047
";
        assert_eq!(screen(&json), (false, expected.to_owned()));
    }

    #[test]
    fn a_report_of_another_version_is_still_a_screen() {
        let (working, text) = screen(&json!({"status": "ok", "news": [1]}));
        assert!(
            working && text.contains("whatsapp    not ok, list not read yet"),
            "{text}"
        );
        assert!(!screen(&json!(["?"])).0);
    }
}
