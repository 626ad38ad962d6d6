//! A message as words: the bridge's marker, where it needs one, and then what the sender wrote, as data.
//!
//! Every type has a form, so that nothing that a person sends is lost. Provider-made descriptions are never used
//! (kapso.md 0.3, fact 9).

use model::{Contact, Content, Location, Media};

use super::clean::label;
use super::escape::{data, data_to, marked};
use super::{NAME_LIMIT, Piece};
use crate::media::Given;

/// The longest address, type or telephone number list, in characters.
const LINE_LIMIT: usize = 256;

/// The most address-book entries of one message that are passed on; the others are counted.
const CONTACT_LIMIT: usize = 20;

/// The longest text of a document that is passed on, in characters: all of one that is passed on as text.
const DOCUMENT_LIMIT: usize = 64 * 1024;

/// The message, first line first.
pub(super) fn words(Piece { inbound, given }: Piece<'_>) -> String {
    let said = match &inbound.content {
        Content::Text { body } => data(body),
        Content::Media(media) => media_words(media, given),
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

/// What was said in a sound, or the name and type of a file and what is given of it; and the caption of either.
fn media_words(media: &Media, given: Option<&Given>) -> String {
    let kind = media.kind.name();
    let mut out = format!("[{kind}]");
    let heard = match given {
        Some(Given::Heard(words)) => Some(words),
        Some(Given::Shown | Given::Words(_) | Given::Saved { .. } | Given::Missing) | None => None,
    };
    if let Some(transcript) = media.transcript.as_ref().or(heard) {
        out = marked(&out, &data(transcript));
    } else {
        if let Some(name) = &media.filename {
            out.push(' ');
            out.push_str(&label(name, NAME_LIMIT));
        }
        if let Some(mime) = &media.mime {
            out.push_str(&format!(" ({})", label(mime, LINE_LIMIT)));
        }
        if let Some(given) = given {
            out.push_str(&told(given));
        }
    }
    if let Some(caption) = &media.caption {
        out.push('\n');
        out.push_str(&data(caption));
    }
    if let Some(Given::Words(text)) = given {
        let text = data_to(text, DOCUMENT_LIMIT);
        out.push_str(&format!("\n[document text]\n{text}\n[document end]"));
    }
    out
}

/// What is said of a file behind its name and type.
fn told(given: &Given) -> String {
    match given {
        Given::Shown | Given::Words(_) | Given::Heard(_) => String::new(),
        Given::Saved { path, really } => {
            let really = really.as_deref().map(|mime| format!(", in fact {mime}"));
            let really = really.unwrap_or_default();
            format!("{really}, saved as {}", path.display())
        }
        Given::Missing => " — could not be fetched".to_owned(),
    }
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
