//! What came from WhatsApp: a message for the agent, or something that is recorded and goes no further.

use serde::{Deserialize, Serialize};

use crate::{ChatKey, Identity, MessageId, NumberId, Phone, Timestamp, UserId};

/// One item of a poll or a webhook, read. Both kinds become a row, so that neither is looked at twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// A person wrote.
    Message(Box<Inbound>),
    /// Nothing for the agent; the reason is kept.
    Ignored(Ignored),
}

impl Arrival {
    /// The id under which the item is known once and for all.
    pub fn id(&self) -> &MessageId {
        match self {
            Self::Message(inbound) => &inbound.id,
            Self::Ignored(ignored) => &ignored.id,
        }
    }
}

/// An item that never becomes a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// The business number it belongs to.
    pub number: NumberId,
    /// The provider's id, or `sha256:…` of the raw object.
    pub id: MessageId,
    /// Why it goes no further.
    pub reason: IgnoreReason,
}

/// Why an item never becomes a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IgnoreReason {
    /// Not a message object; the text says what is wrong with it, without its content.
    Malformed(String),
    /// Neither a phone number nor a user id names a sender.
    NoSender,
    /// Sent from the business number, by the bridge or by a person.
    Outbound,
    /// Imported history of a coexistence number (kapso.md 4.7).
    HistorySync,
    /// A message of a WhatsApp group (kapso.md 8).
    Group,
    /// Already there when the bridge was started for the first time.
    BeforeStart,
    /// Written to another business number than the one that this bridge answers for.
    OtherNumber,
}

impl IgnoreReason {
    /// The reason's name, as in the ledger and in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::NoSender => "no_sender",
            Self::Outbound => "outbound",
            Self::HistorySync => "history_sync",
            Self::Group => "group",
            Self::BeforeStart => "before_start",
            Self::OtherNumber => "other_number",
        }
    }
}

/// By which door a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Read from Kapso's list.
    Poll,
    /// Pushed by Kapso.
    Webhook,
}

/// A message from a person to the business number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    /// The business number that the person wrote to.
    pub number: NumberId,
    /// WhatsApp's id of the message.
    pub id: MessageId,
    /// The sender as the provider named them; answers go to this form.
    pub from: Identity,
    /// The business-scoped user id that the provider gave beside the number (kapso.md 6.2); none where `from` is it.
    #[serde(default)]
    pub user: Option<UserId>,
    /// The number that the user id in `from` was seen with before. The ledger fills it in; nobody else may.
    #[serde(default)]
    pub known_as: Option<Phone>,
    /// The profile name. Chosen by the sender: data, never authority.
    pub name: Option<String>,
    /// When the person sent it, by WhatsApp's clock, to the second.
    pub sent_at: Timestamp,
    /// What was sent.
    pub content: Content,
    /// The message that this one answers.
    pub quoted: Option<MessageId>,
    /// Whether it was forwarded from another chat.
    pub forwarded: bool,
    /// By which door it came.
    pub source: Source,
}

impl Inbound {
    /// Who wrote, by the name under which they are known: of two names of one person, the number.
    pub fn person(&self) -> Identity {
        self.known_as
            .clone()
            .map_or_else(|| self.from.clone(), Identity::Phone)
    }

    /// The chat that the message belongs to.
    pub fn chat(&self) -> ChatKey {
        ChatKey::new(self.number.clone(), &self.person())
    }
}

/// What a message carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// Typed text.
    Text {
        /// The words, as typed.
        body: String,
    },
    /// A file of some kind.
    Media(Media),
    /// A place.
    Location(Location),
    /// Address-book entries.
    Contacts {
        /// The entries that could be read.
        contacts: Vec<Contact>,
    },
    /// An emoji put on a message, or taken off it.
    Reaction {
        /// The message that it is on.
        to: MessageId,
        /// The emoji; none when it was taken off.
        emoji: Option<String>,
    },
    /// A button, list row or form that the person tapped.
    Choice(Choice),
    /// An order from a catalogue.
    Order {
        /// The note that came with it.
        text: Option<String>,
        /// Number of different products.
        items: usize,
    },
    /// WhatsApp's own words about the person, such as a changed number.
    System {
        /// WhatsApp's sentence.
        body: String,
    },
    /// A type that WhatsApp or Kapso does not hand over, or that is newer than this program.
    Unsupported {
        /// The type as named by the provider.
        kind: String,
    },
}

impl Content {
    /// The word for it in reports.
    pub fn kind(&self) -> &str {
        match self {
            Self::Text { .. } => "text",
            Self::Media(media) => media.kind.name(),
            Self::Location(_) => "location",
            Self::Contacts { .. } => "contacts",
            Self::Reaction { .. } => "reaction",
            Self::Choice(_) => "choice",
            Self::Order { .. } => "order",
            Self::System { .. } => "system",
            Self::Unsupported { kind } => kind,
        }
    }

    /// What the person wrote, said or chose, where there are words.
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Text { body } | Self::System { body } => Some(body),
            Self::Media(media) => media.transcript.as_deref().or(media.caption.as_deref()),
            Self::Location(place) => place.name.as_deref(),
            Self::Reaction { emoji, .. } => emoji.as_deref(),
            Self::Choice(choice) => Some(&choice.title),
            Self::Order { text, .. } => text.as_deref(),
            Self::Contacts { .. } | Self::Unsupported { .. } => None,
        }
    }
}

/// The kinds of file that WhatsApp knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A sound file.
    Audio,
    /// A sound recorded in the chat.
    Voice,
    /// Any other file.
    Document,
    /// A sticker.
    Sticker,
}

impl MediaKind {
    /// The word for it in what the agent reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Voice => "voice",
            Self::Document => "document",
            Self::Sticker => "sticker",
        }
    }
}

/// A file that came with a message. Name, caption and type are the sender's: data, never authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Which kind.
    pub kind: MediaKind,
    /// Meta's id of the file, valid for seven days (kapso.md 2.13).
    pub id: Option<String>,
    /// Where Kapso serves it. A bearer secret: never logged, never shown to the model.
    pub url: Option<String>,
    /// The declared MIME type, parameters included.
    pub mime: Option<String>,
    /// The name of a document.
    pub filename: Option<String>,
    /// The words below it.
    pub caption: Option<String>,
    /// Kapso's transcript of a sound, where the plan has one.
    pub transcript: Option<String>,
}

/// A place on the map.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Location {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// What the place is called.
    pub name: Option<String>,
    /// Its address.
    pub address: Option<String>,
}

/// An address-book entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The name as shown.
    pub name: String,
    /// Its numbers, as written.
    pub phones: Vec<String>,
}

/// What a person tapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The identifier that the sender of the buttons gave it.
    pub id: Option<String>,
    /// What stood on it.
    pub title: String,
}
