//! A message as words: the bridge's marker, where it needs one, and then what the sender wrote, as data.
//!
//! Every type has a form, so that nothing that a person sends is lost. Provider-made descriptions are never used
//! (kapso.md 0.3, fact 9).

use model::{Contact, Content, Inbound, Location, Media};

use super::NAME_LIMIT;
use super::clean::label;
use super::escape::{data, marked};

/// The longest address, type or telephone number list, in characters.
const LINE_LIMIT: usize = 256;

/// The most address-book entries of one message that are passed on; the others are counted.
const CONTACT_LIMIT: usize = 20;

/// The message, first line first.
pub(super) fn words(inbound: &Inbound) -> String {
    let said = match &inbound.content {
        Content::Text { body } => data(body),
        Content::Media(media) => media_words(media),
        Content::Location(place) => place_words(place),
        Content::Contacts { contacts } => contact_words(contacts),
        Content::Choice(choice) => data(&choice.title),
        Content::Order { text, items } => {
            let note = text.as_deref().map(data).unwrap_or_default();
            marked(&format!("[order] {items} products"), &note)
        }
        Content::Reaction { emoji, .. } => {
            let emoji = emoji.as_deref().map(|emoji| label(emoji, NAME_LIMIT));
            format!("[reaction] {}", emoji.as_deref().unwrap_or("removed"))
        }
        Content::System { body } => marked("[system]", &data(body)),
        Content::Unsupported { kind } => {
            format!("[unsupported message: {}]", label(kind, NAME_LIMIT))
        }
    };
    let said = said.trim_end();
    if inbound.forwarded {
        marked("[forwarded]", said)
    } else {
        said.to_owned()
    }
}

/// What was said in a sound, or the name and type of a file; and the caption of either.
fn media_words(media: &Media) -> String {
    let kind = media.kind.name();
    let mut out = format!("[{kind}]");
    if let Some(transcript) = &media.transcript {
        out = marked(&out, &data(transcript));
    } else {
        if let Some(name) = &media.filename {
            out.push(' ');
            out.push_str(&label(name, NAME_LIMIT));
        }
        if let Some(mime) = &media.mime {
            out.push_str(&format!(" ({})", label(mime, LINE_LIMIT)));
        }
    }
    if let Some(caption) = &media.caption {
        out.push('\n');
        out.push_str(&data(caption));
    }
    out
}

fn place_words(place: &Location) -> String {
    let name = place.name.as_deref().map(|name| label(name, NAME_LIMIT));
    let address = place.address.as_deref().map(|text| label(text, LINE_LIMIT));
    let named: Vec<String> = [name, address].into_iter().flatten().collect();
    format!(
        "[location] {}, {} {}",
        place.latitude,
        place.longitude,
        named.join(", ")
    )
}

fn contact_words(contacts: &[Contact]) -> String {
    let mut lines: Vec<String> = contacts
        .iter()
        .take(CONTACT_LIMIT)
        .map(|contact| {
            format!(
                "[contact] {} {}",
                label(&contact.name, NAME_LIMIT),
                label(&contact.phones.join(", "), LINE_LIMIT)
            )
        })
        .collect();
    if contacts.len() > CONTACT_LIMIT {
        lines.push(format!(
            "[cut: {} contacts]",
            contacts.len() - CONTACT_LIMIT
        ));
    }
    lines.join("\n")
}
