//! Where events are pushed, in which form, how signed, and how patiently.

use std::time::Duration;

use secrecy::SecretString;

/// Where events are pushed.
#[derive(Debug, Clone)]
pub struct WebhookTarget {
    /// An `http://` address.
    pub url: String,
    /// The key of the signature.
    pub secret: SecretString,
    /// The form of the bodies.
    pub envelope: Envelope,
    /// The header that carries the signature.
    pub signature: Signature,
    /// The names of the events wanted; all when empty, and always all in Meta's envelope.
    pub events: Vec<String>,
    /// Collects received messages into batches; none sends each by itself.
    pub buffer: Option<Buffering>,
    /// Further headers of each delivery.
    pub headers: Vec<(String, String)>,
    /// How patient the sender is.
    pub timing: WebhookTiming,
}

impl WebhookTarget {
    /// All events, one by one, as Kapso's payload version 2, with Kapso's own signature and timing.
    pub fn new(url: impl Into<String>, secret: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            secret: secret.into(),
            envelope: Envelope::KapsoV2,
            signature: Signature::Kapso,
            events: Vec::new(),
            buffer: None,
            headers: Vec::new(),
            timing: WebhookTiming::default(),
        }
    }

    /// As Meta pushes to an app of one's own: its envelope, signed with the app's secret.
    pub fn meta(url: impl Into<String>, app_secret: impl Into<SecretString>) -> Self {
        Self {
            envelope: Envelope::Meta,
            signature: Signature::Hub,
            ..Self::new(url, app_secret)
        }
    }
}

/// The form of a body (kapso.md 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// Kapso's payload version 2.
    KapsoV2,
    /// Kapso's legacy payload version 1, with a nested `whatsapp_config`.
    KapsoV1,
    /// Meta's own, as a webhook of `kind: "meta"` and Meta itself push it. Batches hold messages of several customers,
    /// three per change and three changes per entry, and are not taken apart when they fail.
    Meta,
}

/// The header that carries the signature of a body (kapso.md 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// `X-Webhook-Signature`: bare hexadecimal digits.
    Kapso,
    /// `X-Hub-Signature-256`: hexadecimal digits after `sha256=`.
    Hub,
    /// None at all.
    Unsigned,
}

/// When a batch is complete.
#[derive(Debug, Clone, Copy)]
pub struct Buffering {
    /// This long after its first message.
    pub window: Duration,
    /// Or with this many messages.
    pub size: usize,
}

impl Default for Buffering {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(5),
            size: 50,
        }
    }
}

/// The patience of webhook deliveries; the default is Kapso's.
#[derive(Debug, Clone)]
pub struct WebhookTiming {
    /// An answer that takes longer is a failure.
    pub answer: Duration,
    /// The pauses before the second and later attempts.
    pub retries: Vec<Duration>,
    /// After this long a parcel no longer waits for the one before it.
    pub overtake: Duration,
}

impl Default for WebhookTiming {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(10),
            retries: [10, 40, 90].map(Duration::from_secs).to_vec(),
            overtake: Duration::from_secs(30),
        }
    }
}
