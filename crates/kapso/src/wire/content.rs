//! What a message carries, by its type (kapso.md 3.5).
//!
//! `kapso.content` is prose written by Kapso and never taken for the person's words, but for a text without a body.

use model::{Choice, Contact, Content, Location, Media, MediaKind, MessageId};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::lenient;
use super::message::Message;

/// The longest name of an unknown type that is kept, in characters.
const LONGEST_KIND: usize = 64;

/// The longest id of a file that is kept, in characters; Meta's have 16 digits.
const LONGEST_FILE_ID: usize = 128;

/// A text's body.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Text {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) body: Option<String>,
}

/// Any kind of file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct File {
    #[serde(deserialize_with = "lenient::text")]
    id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    mime_type: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    caption: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    filename: Option<String>,
    /// Kapso's copy. `url`, beside it, is Meta's and needs Meta's token.
    #[serde(deserialize_with = "lenient::text")]
    link: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    voice: bool,
}

/// A place.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Place {
    #[serde(deserialize_with = "lenient::float")]
    latitude: Option<f64>,
    #[serde(deserialize_with = "lenient::float")]
    longitude: Option<f64>,
    #[serde(deserialize_with = "lenient::text")]
    name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    address: Option<String>,
}

/// An address-book entry.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContactCard {
    #[serde(deserialize_with = "lenient::object")]
    name: ContactName,
    #[serde(deserialize_with = "lenient::list")]
    phones: Vec<ContactPhone>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContactName {
    #[serde(deserialize_with = "lenient::text")]
    formatted_name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    first_name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    last_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContactPhone {
    #[serde(deserialize_with = "lenient::text")]
    phone: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    wa_id: Option<String>,
}

/// What was tapped in an interactive message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Interactive {
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    kind: Option<String>,
    #[serde(deserialize_with = "lenient::any")]
    button_reply: Option<Tapped>,
    #[serde(deserialize_with = "lenient::any")]
    list_reply: Option<Tapped>,
    #[serde(deserialize_with = "lenient::any")]
    nfm_reply: Option<Form>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tapped {
    #[serde(deserialize_with = "lenient::text")]
    id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    title: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Form {
    #[serde(deserialize_with = "lenient::text")]
    name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    body: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    response_json: Option<String>,
}

/// A quick reply of a template.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Button {
    #[serde(deserialize_with = "lenient::text")]
    payload: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    text: Option<String>,
}

/// An emoji on a message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reaction {
    #[serde(deserialize_with = "lenient::text")]
    message_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    emoji: Option<String>,
}

/// An order: the note is `text` at Meta and `order_text` at Kapso.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Order {
    #[serde(deserialize_with = "lenient::text")]
    text: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    order_text: Option<String>,
    #[serde(deserialize_with = "lenient::list")]
    product_items: Vec<IgnoredAny>,
}

/// WhatsApp's own words.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct System {
    #[serde(deserialize_with = "lenient::text")]
    body: Option<String>,
}

/// What WhatsApp does not hand over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Unsupported {
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    kind: Option<String>,
}

/// What `message` carries.
///
/// # Errors
/// What is wrong with an object that cannot be a message.
pub(super) fn read(message: &Message) -> Result<Content, &'static str> {
    let kind = match message.kind.as_deref() {
        Some(kind) => kind.trim(),
        None if message.text.is_some() => "text",
        None => return Err("no type"),
    };
    let content = match kind {
        "text" => Some(Content::Text {
            body: message.words().ok_or("a text without words")?,
        }),
        "image" => Some(media(MediaKind::Image, message.image.as_ref(), message)),
        "video" => Some(media(MediaKind::Video, message.video.as_ref(), message)),
        "audio" | "voice" => Some(sound(message)),
        "document" => Some(media(
            MediaKind::Document,
            message.document.as_ref(),
            message,
        )),
        "sticker" => Some(media(MediaKind::Sticker, message.sticker.as_ref(), message)),
        "location" => location(message),
        "contacts" => Some(Content::Contacts {
            contacts: message.contacts.iter().filter_map(contact).collect(),
        }),
        "reaction" => Some(reaction(message)?),
        "interactive" => interactive(message),
        "button" => button(message),
        "order" => Some(order(message)),
        "system" => system(message),
        _ => None,
    };
    Ok(content.unwrap_or_else(|| unsupported(kind, message)))
}

fn media(kind: MediaKind, file: Option<&File>, message: &Message) -> Content {
    let none = File::default();
    let file = file.unwrap_or(&none);
    let kapso = &message.kapso;
    let stored = &kapso.media_data;
    let first = |texts: &[&Option<String>]| texts.iter().find_map(|text| (*text).clone());
    Content::Media(Media {
        kind,
        id: file_id(file.id.as_deref()).or_else(|| file_id(kapso.media_id.as_deref())),
        url: first(&[&kapso.media_url, &stored.url, &file.link]),
        mime: first(&[&file.mime_type, &stored.content_type]),
        filename: match kind {
            MediaKind::Document => first(&[&file.filename, &stored.filename]),
            MediaKind::Image
            | MediaKind::Video
            | MediaKind::Audio
            | MediaKind::Voice
            | MediaKind::Sticker => None,
        },
        caption: first(&[&file.caption, &kapso.message_type_data.caption]),
        transcript: kapso.transcript.clone(),
    })
}

/// The id of a file is put into the path of an authenticated request: what could lead elsewhere is no id.
fn file_id(text: Option<&str>) -> Option<String> {
    let id = text?.trim();
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let one_name = !id.starts_with('.') && id.len() <= LONGEST_FILE_ID && id.chars().all(known);
    one_name.then(|| id.to_owned())
}

fn sound(message: &Message) -> Content {
    let file = message.audio.as_ref();
    let kind = if file.is_some_and(|file| file.voice) || message.kind.as_deref() == Some("voice") {
        MediaKind::Voice
    } else {
        MediaKind::Audio
    };
    media(kind, file, message)
}

fn location(message: &Message) -> Option<Content> {
    let place = message.location.as_ref()?;
    Some(Content::Location(Location {
        latitude: place.latitude?,
        longitude: place.longitude?,
        name: place.name.clone(),
        address: place.address.clone(),
    }))
}

/// An entry without any name goes by its first number; with neither it is left out.
fn contact(card: &ContactCard) -> Option<Contact> {
    let number = |phone: &ContactPhone| phone.phone.clone().or_else(|| phone.wa_id.clone());
    let phones: Vec<String> = card.phones.iter().filter_map(number).collect();
    let parts = [&card.name.first_name, &card.name.last_name];
    let joined = || {
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    };
    let name = card.name.formatted_name.clone().or_else(joined);
    Some(Contact {
        name: name.or_else(|| phones.first().cloned())?,
        phones,
    })
}

/// A reaction to nothing is none; an empty or absent emoji takes an earlier one off.
fn reaction(message: &Message) -> Result<Content, &'static str> {
    let reaction = message.reaction.as_ref();
    let to = reaction
        .and_then(|reaction| reaction.message_id.as_deref())
        .and_then(|id| MessageId::new(id).ok())
        .ok_or("a reaction without its message")?;
    let emoji = reaction.and_then(|reaction| reaction.emoji.clone());
    Ok(Content::Reaction { to, emoji })
}

/// For a form, what was filled in counts more than its label, which is always "Sent".
fn interactive(message: &Message) -> Option<Content> {
    let interactive = message.interactive.as_ref()?;
    let tapped = interactive
        .button_reply
        .as_ref()
        .or(interactive.list_reply.as_ref());
    let choice = match (tapped, &interactive.nfm_reply) {
        (Some(tapped), _) => Choice {
            id: tapped.id.clone(),
            title: tapped.title.clone().or_else(|| tapped.id.clone())?,
        },
        (None, Some(form)) => {
            let filled = message.kapso.flow_response.as_ref().map(Value::to_string);
            let answers = form.response_json.clone().or(filled);
            Choice {
                id: message
                    .kapso
                    .flow_name
                    .clone()
                    .or_else(|| form.name.clone()),
                title: answers.or_else(|| form.body.clone())?,
            }
        }
        (None, None) => return None,
    };
    Some(Content::Choice(choice))
}

fn button(message: &Message) -> Option<Content> {
    let button = message.button.as_ref()?;
    Some(Content::Choice(Choice {
        id: button.payload.clone(),
        title: button.text.clone().or_else(|| button.payload.clone())?,
    }))
}

fn order(message: &Message) -> Content {
    let order = message.order.as_ref();
    let note = order.and_then(|order| order.order_text.clone().or_else(|| order.text.clone()));
    Content::Order {
        text: note.or_else(|| message.kapso.order_text.clone()),
        items: order.map_or(0, |order| order.product_items.len()),
    }
}

fn system(message: &Message) -> Option<Content> {
    let body = message.system.as_ref()?.body.clone()?;
    Some(Content::System { body })
}

/// Names what cannot be read, in characters that cannot be taken for anything else.
fn unsupported(kind: &str, message: &Message) -> Content {
    let inner = match kind {
        "interactive" => message
            .interactive
            .as_ref()
            .and_then(|it| it.kind.as_deref()),
        _ => message
            .unsupported
            .as_ref()
            .and_then(|it| it.kind.as_deref()),
    };
    let named = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let kind: String = inner
        .unwrap_or(kind)
        .chars()
        .filter(named)
        .take(LONGEST_KIND)
        .collect();
    Content::Unsupported { kind }
}
