//! The report in the text form that Prometheus reads (`OpenMetrics`), names prefixed `kapso_whatsapp_`.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use super::report::Report;
use super::{Control, KapsoReport, RegistrationReport, StoreReport};

/// The media type of the format.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Counts by one or two labels.
type Counts = Family<Vec<(&'static str, String)>, Counter>;

/// Values by one or two labels.
type ByLabel = Family<Vec<(&'static str, String)>, Gauge>;

pub(super) async fn metrics(State(control): State<Control>) -> Response {
    let report = control.report().await;
    let mut registry = Registry::with_prefix("kapso_whatsapp");
    parts(&mut registry, &report);
    numbers(&mut registry, &report.kapso);
    journal(&mut registry, &report.store);
    webhook(&mut registry, &control);
    if let Some(webhook) = &report.webhook {
        registrations(&mut registry, &webhook.registrations);
    }
    for (name, value) in &report.counters {
        registry.register(*name, counter_help(name), ConstCounter::new(*value));
    }
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_cannot_happen_to_a_string) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Whether each part works, and since when not.
fn parts(registry: &mut Registry, report: &Report) {
    let up = ByLabel::default();
    let set = |part: &str, ok: bool| {
        let label = vec![("part", part.to_owned())];
        up.get_or_create(&label).set(i64::from(ok));
    };
    set("kapso", report.kapso.ok);
    set("gateway", report.gateway.ok);
    set("journal", report.store.ok);
    if let Some(webhook) = &report.webhook {
        set("webhook", webhook.ok);
        if let Some(tunnel) = &webhook.tunnel {
            set("tunnel", tunnel.ok);
        }
    }
    registry.register(
        "up",
        "Whether a part of the bridge works (1) or not (0)",
        up,
    );
    gauge(
        registry,
        "uptime_seconds",
        "Since the process began",
        Some(report.uptime_s),
    );
    gauge(
        registry,
        "list_read_age_seconds",
        "Since Kapso's message list was last read",
        report.kapso.last_success_s,
    );
    gauge(
        registry,
        "kapso_requests_remaining",
        "Requests that Kapso's plan still allows in this minute",
        report.kapso.rate_remaining.map(u64::from),
    );
}

/// Each number by itself.
fn numbers(registry: &mut Registry, kapso: &KapsoReport) {
    let (up, age, waiting) = (ByLabel::default(), ByLabel::default(), ByLabel::default());
    for of in &kapso.numbers {
        let label = vec![("number", of.number.clone()), ("name", of.name.clone())];
        up.get_or_create(&label).set(i64::from(of.ok));
        if let Some(seconds) = of.last_success_s {
            age.get_or_create(&label).set(whole(seconds));
        }
    }
    for of in &kapso.unconfigured {
        for (what, count) in [("chats", of.waiting.chats), ("sends", of.waiting.sends)] {
            let label = vec![("number", of.number.clone()), ("what", what.to_owned())];
            waiting.get_or_create(&label).set(whole(count));
        }
    }
    registry.register(
        "number_up",
        "Whether a number's message list can be read (1) or not (0)",
        up,
    );
    registry.register(
        "number_list_read_age_seconds",
        "Since a number's message list was last read",
        age,
    );
    registry.register(
        "number_unconfigured",
        "Chats that wait for a number that is not configured, and those with something to send",
        waiting,
    );
}

/// What is in the journal, and how long the oldest of it has waited.
fn journal(registry: &mut Registry, store: &StoreReport) {
    let depths = [
        (
            "messages",
            "Messages in the journal, by state",
            &store.messages,
        ),
        ("turns", "Turns in the journal, by state", &store.turns),
        (
            "outgoing",
            "Replies in the journal, by state",
            &store.outgoing,
        ),
    ];
    for (name, help, by_state) in depths {
        let family = ByLabel::default();
        for (state, count) in by_state {
            let label = vec![("state", (*state).to_owned())];
            family.get_or_create(&label).set(whole(*count));
        }
        registry.register(name, help, family);
    }
    let oldest = ByLabel::default();
    let ages = [
        ("received", store.oldest_received_s),
        ("turn", store.oldest_turn_s),
        ("outgoing", store.oldest_outgoing_s),
    ];
    for (what, age) in ages {
        let label = vec![("what", what.to_owned())];
        oldest
            .get_or_create(&label)
            .set(whole(age.unwrap_or_default()));
    }
    registry.register(
        "oldest_seconds",
        "How long the oldest of what waits has waited",
        oldest,
    );
    gauge(
        registry,
        "journal_bytes",
        "Size of the journal on disk",
        Some(store.bytes),
    );
}

/// What came to the open port.
fn webhook(registry: &mut Registry, control: &Control) {
    if control.listening.is_none() {
        return;
    }
    let pushes = control.health.read().pushes;
    let counts = [
        ("taken", pushes.taken),
        ("hint", pushes.hints),
        ("unused", pushes.unused),
        ("v1", pushes.v1),
        ("malformed", pushes.malformed),
        ("refused", pushes.refused),
        ("not_recorded", pushes.not_recorded),
    ];
    let family = Counts::default();
    for (kind, count) in counts {
        let label = vec![("kind", kind.to_owned())];
        family.get_or_create(&label).inc_by(count);
    }
    registry.register(
        "webhook_requests",
        "Requests to the webhook, by what they were",
        family,
    );
}

/// The webhook of each number at Kapso, where the bridge registers it.
fn registrations(registry: &mut Registry, registrations: &[RegistrationReport]) {
    if registrations.is_empty() {
        return;
    }
    let (registered, switched_on) = (ByLabel::default(), Counts::default());
    for of in registrations {
        let label = vec![("number", of.number.clone()), ("name", of.name.clone())];
        registered.get_or_create(&label).set(i64::from(of.ok));
        switched_on.get_or_create(&label).inc_by(of.switched_on);
    }
    registry.register(
        "webhook_registered",
        "Whether a number's webhook is registered at Kapso and switched on (1) or not (0)",
        registered,
    );
    registry.register(
        "webhook_switched_on",
        "How often Kapso had switched a number's webhook off and the bridge switched it on again",
        switched_on,
    );
}

fn counter_help(name: &str) -> &'static str {
    match name {
        "recovered" => "Messages that only the list had, not a webhook",
        "duplicates" => "Pushed messages that were known already",
        "unknown" => "Sends whose answer was lost",
        "found_sent" => "Sends whose answer was lost and that had been taken",
        "repeated" => {
            "Sends that were repeated because nothing showed that they had been taken: a reply may be double"
        }
        "undelivered" => "Sends that WhatsApp took and later reported as failed",
        "expired" => "Messages that were too old to be answered",
        "set_aside" => "Messages and replies that broke the bridge twice",
        _ => "See docs/guarantees.md",
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: Option<u64>) {
    if let Some(value) = value {
        registry.register(name, help, ConstGauge::new(whole(value)));
    }
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
