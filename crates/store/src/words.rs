//! What a report shows of a body. A body may be gone, to save space: then there is nothing to show.

use model::{Content, Inbound, Outgoing};

/// What a report shows of a message that came in.
#[derive(Debug, Default)]
pub(crate) struct Words {
    /// The profile name.
    pub(crate) name: Option<String>,
    /// Which kind of content it has.
    pub(crate) kind: Option<&'static str>,
    /// Its words, or those that came with it.
    pub(crate) text: Option<String>,
}

/// Of a message that came in.
pub(crate) fn inbound(body: Option<&str>) -> Words {
    let Some(inbound) = body.and_then(|body| serde_json::from_str::<Inbound>(body).ok()) else {
        return Words::default();
    };
    let (kind, text) = content(inbound.content);
    Words {
        name: inbound.name,
        kind: Some(kind),
        text,
    }
}

/// Of a message that goes out.
pub(crate) fn outgoing(body: Option<&str>) -> Option<String> {
    let outgoing: Outgoing = serde_json::from_str(body?).ok()?;
    Some(outgoing.body.text().to_owned())
}

fn content(content: Content) -> (&'static str, Option<String>) {
    match content {
        Content::Text { body } => ("text", Some(body)),
        Content::Media(media) => (media.kind.name(), media.transcript.or(media.caption)),
        Content::Location(place) => ("location", place.name.or(place.address)),
        Content::Contacts { contacts } => {
            let names: Vec<String> = contacts.into_iter().map(|contact| contact.name).collect();
            ("contacts", Some(names.join(", ")))
        }
        Content::Reaction { emoji, .. } => ("reaction", emoji),
        Content::Choice(choice) => ("choice", Some(choice.title)),
        Content::Order { text, .. } => ("order", text),
        Content::System { body } => ("system", Some(body)),
        Content::Unsupported { kind } => ("unsupported", Some(kind)),
    }
}
