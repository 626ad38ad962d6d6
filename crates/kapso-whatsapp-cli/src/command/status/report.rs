//! The bridge's report as a screen. Every field is optional: the poller may be of another version.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;
use serde_json::Value;

use super::reach::{Registration, Tunnel};
use crate::screen::{age, count, field, one_line, size};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Report {
    status: String,
    version: String,
    pid: u32,
    uptime_s: u64,
    kapso: Kapso,
    webhook: Option<Webhook>,
    gateway: Gateway,
    store: Store,
    counters: Option<Counters>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Kapso {
    ok: bool,
    last_success_s: Option<u64>,
    rate_limit: Option<u64>,
    rate_remaining: Option<u64>,
    error: Option<String>,
    numbers: Vec<Number>,
    unconfigured: Vec<Unconfigured>,
}

/// One business number.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Number {
    number: String,
    name: String,
    ok: bool,
    last_success_s: Option<u64>,
    error: Option<String>,
}

/// What waits for a number that is not configured.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Unconfigured {
    number: String,
    chats: u64,
    sends: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Webhook {
    ok: bool,
    address: String,
    /// Whether a key is there to check signatures with.
    signed: bool,
    last_event_s: Option<u64>,
    events: u64,
    /// Pushes with a wrong signature.
    refused: u64,
    error: Option<String>,
    registrations: Vec<Registration>,
    tunnel: Option<Tunnel>,
}

/// What happened since the journal began.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Counters {
    /// Messages that only the list had.
    recovered: u64,
    /// Messages that were pushed again.
    duplicates: u64,
    /// Sends whose answer was lost.
    unknown: u64,
    /// Those of them that had gone out.
    found_sent: u64,
    /// Those of them that were sent again.
    repeated: u64,
    /// Replies that WhatsApp took and did not deliver.
    undelivered: u64,
    /// Messages that waited too long.
    expired: u64,
    /// Messages and replies that failed for their own sake.
    set_aside: u64,
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
    bytes: Option<u64>,
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

/// Where the text of a line begins.
const COLUMN: usize = 12;

/// Whether everything works, and the screen.
pub(super) fn screen(json: &Value) -> (bool, String) {
    let report = Report::deserialize(json).unwrap_or_default();
    let head = format!(
        "kapso-whatsapp {}: {}, up {} (pid {})",
        report.version,
        report.status,
        age(report.uptime_s),
        report.pid
    );
    let mut lines = vec![one_line(&head), String::new()];
    let mut line = |name: &str, text: String| lines.push(field(name, COLUMN, &text));
    line("whatsapp", whatsapp(&report.kapso));
    if report.kapso.numbers.len() > 1 {
        for of in &report.kapso.numbers {
            line("", number(of));
        }
    }
    for of in &report.kapso.unconfigured {
        line("", unconfigured(of));
    }
    if let Some(seen) = &report.webhook {
        line("webhook", webhook(seen));
        for of in &seen.registrations {
            line("", of.line());
        }
        if let Some(seen) = &seen.tunnel {
            line("tunnel", seen.line());
            if let Some(remedy) = &seen.remedy {
                line("", format!("→ {remedy}"));
            }
        }
    }
    line("gateway", gateway(&report.gateway));
    if let Some(remedy) = &report.gateway.remedy {
        line("", format!("→ {remedy}"));
    }
    let store = &report.store;
    line("journal", journal(store));
    line(
        "  messages",
        depths(&store.messages, store.oldest_received_s),
    );
    line("  turns", depths(&store.turns, store.oldest_turn_s));
    line(
        "  replies",
        depths(&store.outgoing, store.oldest_outgoing_s),
    );
    if let Some(counters) = &report.counters {
        line("counted", incoming(counters));
        line("sends", outgoing(counters));
    }
    for (place, aside) in store.set_aside.iter().take(REASONS).enumerate() {
        let name = if place == 0 { "set aside" } else { "" };
        let kind = aside.kind.replace('_', " ");
        line(name, format!("{} × {kind}: {}", aside.count, aside.reason));
    }
    (report.status == "ok", lines.join("\n") + "\n")
}

fn list_read(last_success_s: Option<u64>) -> String {
    match last_success_s {
        Some(seconds) => format!("list read {} ago", age(seconds)),
        None => "list not read yet".to_owned(),
    }
}

fn number(number: &Number) -> String {
    let id = match &number.name {
        name if *name == number.number => name.clone(),
        name => format!("{name} ({})", number.number),
    };
    format!(
        "{id}: {}, {}",
        verdict(number.ok, number.error.as_deref()),
        list_read(number.last_success_s)
    )
}

fn unconfigured(waiting: &Unconfigured) -> String {
    format!(
        "{}: not configured; {} waiting, {} to send to",
        waiting.number,
        count(waiting.chats, "chat"),
        count(waiting.sends, "chat")
    )
}

fn whatsapp(kapso: &Kapso) -> String {
    let read = list_read(kapso.last_success_s);
    let left = match (kapso.rate_remaining, kapso.rate_limit) {
        (Some(left), Some(limit)) => format!(", {left} of {limit} requests left this minute"),
        (_, Some(limit)) => format!(", {limit} requests a minute"),
        (_, None) => String::new(),
    };
    format!(
        "{}, {read}{left}",
        verdict(kapso.ok, kapso.error.as_deref())
    )
}

fn webhook(webhook: &Webhook) -> String {
    let mut text = verdict(webhook.ok, webhook.error.as_deref());
    if !webhook.address.is_empty() {
        text += &format!(" on {}", webhook.address);
    }
    text += if webhook.signed {
        ", signed"
    } else {
        ", unsigned: only hints (see doctor)"
    };
    text += &match webhook.last_event_s {
        Some(seconds) => format!(", last event {} ago", age(seconds)),
        None => ", no event yet".to_owned(),
    };
    text + &format!(
        ", {}, {} refused",
        count(webhook.events, "event"),
        webhook.refused
    )
}

fn journal(store: &Store) -> String {
    let size = store.bytes.map(|bytes| format!(", {}", size(bytes)));
    verdict(store.ok, store.error.as_deref()) + &size.unwrap_or_default()
}

fn incoming(counters: &Counters) -> String {
    format!(
        "{} recovered from the list, {} suppressed, {} expired, {} set aside",
        counters.recovered,
        count(counters.duplicates, "duplicate"),
        counters.expired,
        counters.set_aside
    )
}

fn outgoing(counters: &Counters) -> String {
    format!(
        "{} unknown (of these {} found sent, {} repeated), {} undelivered",
        counters.unknown, counters.found_sent, counters.repeated, counters.undelivered
    )
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
    fn sources_depths_and_counters_are_on_one_screen_of_80_columns() {
        let json = json!({
            "status": "ok", "version": "0.1.0", "pid": 7, "uptime_s": 90,
            "kapso": {"ok": true, "last_success_s": 4, "rate_limit": 100, "rate_remaining": 87},
            "webhook": {"ok": true, "address": ":18790", "signed": true, "last_event_s": 12, "events": 1042,
                        "refused": 3, "error": null},
            "gateway": {"ok": true, "state": "connected", "version": "2026.9.6", "protocol": 4,
                        "scopes": ["operator.read", "operator.write", "operator.admin"]},
            "store": {"ok": true, "messages": {"received": 2}, "oldest_received_s": 75, "bytes": 3_500_000},
            "counters": {"recovered": 3, "duplicates": 12, "unknown": 2, "found_sent": 1, "repeated": 1,
                         "undelivered": 4, "expired": 5, "set_aside": 6},
        });
        let expected = "\
kapso-whatsapp 0.1.0: ok, up 1 min 30 s (pid 7)

whatsapp    ok, list read 4 s ago, 87 of 100 requests left this minute
webhook     ok on :18790, signed, last event 12 s ago, 1042 events, 3 refused
gateway     connected, OpenClaw 2026.9.6, protocol 4, operator.read
            operator.write operator.admin
journal     ok, 3 MiB
  messages  2 received; the oldest waits for 1 min 15 s
  turns     none
  replies   none
counted     3 recovered from the list, 12 duplicates suppressed, 5 expired, 6
            set aside
sends       2 unknown (of these 1 found sent, 1 repeated), 4 undelivered
";
        assert_eq!(screen(&json), (true, expected.to_owned()));
    }

    #[test]
    fn each_of_several_numbers_has_its_line_and_so_has_one_that_is_not_configured() {
        let json = json!({
            "status": "degraded",
            "kapso": {
                "ok": false, "error": "sales: no route", "last_success_s": 40,
                "numbers": [
                    {"number": "111", "name": "111", "ok": true, "last_success_s": 4},
                    {"number": "222", "name": "sales", "ok": false, "last_success_s": 40, "error": "no route"},
                ],
                "unconfigured": [{"number": "333", "chats": 1, "sends": 2}],
            },
        });
        let (_, text) = screen(&json);
        let expected = "\
whatsapp    sales: no route, list read 40 s ago
            111: ok, list read 4 s ago
            sales (222): no route, list read 40 s ago
            333: not configured; 1 chat waiting, 2 chats to send to
";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn an_unsigned_or_failed_webhook_says_so() {
        let with = |webhook: Value| screen(&json!({"status": "degraded", "webhook": webhook})).1;
        let text = with(json!({"ok": true, "address": ":18790", "signed": false}));
        assert!(
            text.contains("unsigned: only hints (see doctor)") && text.contains("no event yet"),
            "{text}"
        );
        let text = with(json!({"ok": false, "signed": true, "error": "address in use"}));
        assert!(
            text.contains("webhook     address in use, signed"),
            "{text}"
        );
        assert!(!with(Value::Null).contains("webhook"), "polling has none");
    }

    #[test]
    fn a_webhook_that_was_switched_on_again_and_a_tunnel_are_told() {
        let json = json!({"status": "degraded", "webhook": {
            "ok": false, "address": "127.0.0.1:18790", "signed": true, "error": "no tunnel",
            "registrations": [
                {"name": "sales", "ok": true, "url": "https://a.ts.net/webhook", "last_success_s": 9, "switched_on": 1},
                {"name": "help", "ok": false, "error": "webhooks: refused with HTTP 401"},
                {"name": "new"},
            ],
            "tunnel": {"ok": false, "state": "down", "since_s": 4,
                       "error": "Funnel is not enabled", "remedy": "enable it"},
        }});
        let (_, text) = screen(&json);
        let expected = "\
            sales: registered at https://a.ts.net/webhook, seen 9 s ago,
            switched on again 1 time
            help: webhooks: refused with HTTP 401
            new: not registered yet
tunnel      Funnel is not enabled, for 4 s
            → enable it
";
        assert!(text.contains(expected), "{text}");
        let up = json!({"webhook": {"tunnel": {"ok": true, "state": "up", "since_s": 60, "url": "https://a.ts.net/"}}});
        assert!(
            screen(&up)
                .1
                .contains("tunnel      up at https://a.ts.net/, for 1 min 0 s")
        );
    }

    #[test]
    fn words_from_outside_stay_on_their_line() {
        let json =
            json!({"status": "ok", "kapso": {"error": "no\n\u{1b}[31m"}, "version": "1\u{1b}]0;x"});
        let (_, text) = screen(&json);
        assert!(
            text.contains(r"no\n\u{1b}[31m, list not read yet") && !text.contains('\u{1b}'),
            "{text}"
        );
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
