//! Each kind of message, as recorded in `tests/data`, becomes the content that it has.

use kapso::wire::arrival;
use model::{
    Arrival, Choice, Contact, Content, IgnoreReason, Inbound, Location, Media, MediaKind,
    MessageId, NumberId, Source, Timestamp,
};

const NOW: Timestamp = Timestamp::from_seconds(1_788_000_500);

const BLOB: &str = "https://app.kapso.ai/rails/active_storage/blobs/redirect/\
                    eyJfcmFpbHMiOnsiZGF0YSI6MTJ9fQ==--ab12cd34/";

macro_rules! data {
    ($name:literal) => {
        read(include_str!(concat!("../data/", $name, ".json")))
    };
}

fn read(json: &str) -> Arrival {
    let number = NumberId::new("597907523413541").unwrap();
    let raw = serde_json::from_str(json).unwrap();
    arrival(&number, &raw, None, Source::Poll, NOW)
}

fn inbound(arrival: Arrival) -> Inbound {
    match arrival {
        Arrival::Message(inbound) => *inbound,
        Arrival::Ignored(ignored) => panic!("{ignored:?}"),
    }
}

fn content(arrival: Arrival) -> Content {
    inbound(arrival).content
}

fn text(body: &str) -> Content {
    Content::Text {
        body: body.to_owned(),
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn target() -> MessageId {
    MessageId::new("wamid.TARGET").unwrap()
}

fn file(kind: MediaKind, id: &str, name: &str, mime: &str) -> Media {
    Media {
        kind,
        id: some(id),
        url: Some(format!("{BLOB}{name}")),
        mime: some(mime),
        filename: None,
        caption: None,
        transcript: None,
    }
}

#[test]
fn a_text_with_all_that_surrounds_it() {
    let inbound = inbound(data!("text"));
    assert_eq!(inbound.number.as_str(), "597907523413541");
    assert_eq!(
        inbound.id.as_str(),
        "wamid.HBgNNTQ5MTE1NTU1MTIzNBUCABIYTXTAA=="
    );
    assert_eq!(inbound.from.to_string(), "+5491155551234");
    assert_eq!(inbound.name.as_deref(), Some("Ana"));
    assert_eq!(inbound.sent_at, Timestamp::from_seconds(1_788_000_000));
    assert_eq!(inbound.content, text("Hola!"));
    assert_eq!((inbound.quoted, inbound.forwarded), (None, false));
    assert_eq!(inbound.source, Source::Poll);
}

#[test]
fn pictures_and_stickers() {
    let image = Media {
        caption: some("mirá esto"),
        ..file(
            MediaKind::Image,
            "1000000000000002",
            "imagen.jpg",
            "image/jpeg",
        )
    };
    assert_eq!(content(data!("image_with_caption")), Content::Media(image));
    let bare = file(
        MediaKind::Image,
        "1000000000000012",
        "imagen.jpg",
        "image/jpeg",
    );
    assert_eq!(
        content(data!("image_without_caption")),
        Content::Media(bare)
    );
    let sticker = file(
        MediaKind::Sticker,
        "1000000000000005",
        "sticker.webp",
        "image/webp",
    );
    assert_eq!(content(data!("sticker")), Content::Media(sticker));
}

#[test]
fn sounds_films_and_documents() {
    let voice = Media {
        transcript: some("te llamo en cinco"),
        ..file(
            MediaKind::Voice,
            "1000000000000003",
            "voice.ogg",
            "audio/ogg; codecs=opus",
        )
    };
    assert_eq!(content(data!("voice_note")), Content::Media(voice));
    let song = file(
        MediaKind::Audio,
        "1000000000000013",
        "cancion.mp3",
        "audio/mpeg",
    );
    assert_eq!(content(data!("audio_file")), Content::Media(song));
    let video = Media {
        caption: some("la fiesta"),
        ..file(
            MediaKind::Video,
            "1000000000000004",
            "video.mp4",
            "video/mp4",
        )
    };
    assert_eq!(content(data!("video")), Content::Media(video));
    let document = Media {
        filename: some("factura.pdf"),
        ..file(
            MediaKind::Document,
            "2267829863993481",
            "c.pdf",
            "application/pdf",
        )
    };
    assert_eq!(content(data!("document")), Content::Media(document));
}

#[test]
fn places_with_numbers_or_texts_for_degrees() {
    let place = |name, address| {
        Content::Location(Location {
            latitude: -34.6037,
            longitude: -58.3816,
            name,
            address,
        })
    };
    let named = place(some("Obelisco"), some("Av. 9 de Julio"));
    assert_eq!(content(data!("location")), named);
    assert_eq!(content(data!("location_as_text")), place(None, None));
}

#[test]
fn contacts_as_complete_as_they_are() {
    let contact = |name: &str, phones: &[&str]| Contact {
        name: name.to_owned(),
        phones: phones.iter().map(ToString::to_string).collect(),
    };
    let contacts = vec![
        contact("Juan P", &["+54 9 11 5555-0000"]),
        contact("Taxi", &[]),
        contact("Eva Q", &["5491155559999"]),
        contact("+54 11 4444-0000", &["+54 11 4444-0000"]),
    ];
    assert_eq!(content(data!("contacts")), Content::Contacts { contacts });
}

#[test]
fn reactions_put_on_and_taken_off() {
    let reaction = |emoji| Content::Reaction {
        to: target(),
        emoji,
    };
    assert_eq!(content(data!("reaction_added")), reaction(some("❤️")));
    assert_eq!(content(data!("reaction_removed")), reaction(None));
    assert_eq!(content(data!("reaction_emptied")), reaction(None));
}

#[test]
fn choices_of_every_kind() {
    let choice = |id: &str, title: &str| {
        Content::Choice(Choice {
            id: some(id),
            title: title.to_owned(),
        })
    };
    let button = inbound(data!("button_reply"));
    assert_eq!(button.content, choice("yes", "Sí"));
    assert_eq!(
        button.quoted.unwrap().as_str(),
        "wamid.HBgNNTQ5MTE1NTU1MTIzNBUCABEYOURSAA=="
    );
    assert_eq!(content(data!("list_reply")), choice("r1", "Turno"));
    assert_eq!(content(data!("flow_reply")), choice("intake", r#"{"a":1}"#));
    assert_eq!(
        content(data!("template_button")),
        choice("CONFIRM", "Confirmar")
    );
}

#[test]
fn an_order_with_its_note() {
    let order = Content::Order {
        text: some("Love these!"),
        items: 2,
    };
    assert_eq!(content(data!("order")), order);
}

#[test]
fn quotes_and_forwards() {
    let reply = inbound(data!("quoted_reply"));
    assert_eq!(reply.content, text("ese"));
    assert!(reply.quoted.is_some() && !reply.forwarded);
    for forwarded in [data!("forwarded"), data!("frequently_forwarded")] {
        let forwarded = inbound(forwarded);
        assert_eq!(forwarded.content, text("cadena"));
        assert!(forwarded.quoted.is_none() && forwarded.forwarded);
    }
}

#[test]
fn what_whatsapp_does_not_hand_over_is_named() {
    let unsupported = |kind: &str| Content::Unsupported {
        kind: kind.to_owned(),
    };
    assert_eq!(content(data!("unsupported")), unsupported("poll"));
    assert_eq!(content(data!("unknown_type")), unsupported("hologram"));
}

#[test]
fn a_changed_number_is_told_in_whatsapps_words() {
    let system = Content::System {
        body: "User Ana changed from 5491155551234 to 5491166660000".to_owned(),
    };
    assert_eq!(content(data!("system_number_change")), system);
}

#[test]
fn an_advertisement_changes_nothing() {
    assert_eq!(content(data!("click_to_whatsapp_ad")), text("Info?"));
}

#[test]
fn a_person_without_number_goes_by_the_user_id() {
    let inbound = inbound(data!("user_without_number"));
    assert_eq!(inbound.from.to_string(), "AR.1049384756102");
    assert_eq!(inbound.name, None);
}

#[test]
fn kapsos_prose_stands_in_only_for_a_text_without_body() {
    assert_eq!(content(data!("text_without_body")), text("Hola de nuevo"));
}

#[test]
fn what_went_out_is_no_message() {
    match data!("outbound_text") {
        Arrival::Ignored(ignored) => assert_eq!(ignored.reason, IgnoreReason::Outbound),
        Arrival::Message(inbound) => panic!("{inbound:?}"),
    }
}
