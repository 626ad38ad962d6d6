//! Lines of a session's transcript, read and shown to the turn that waits for its answer.
//!
//! The first line of an input is the turn's question, each further one a line of the file.

#![no_main]

use gateway::transcript::{Entry, TurnView};
use kapso_whatsapp_fuzz::{first_line, number};
use libfuzzer_sys::fuzz_target;
use model::{ChatKey, IdempotencyKey, Identity, MessageId, SessionKey, Turn};

fuzz_target!(|input: &[u8]| {
    let Some((question, file)) = first_line(input) else {
        return;
    };
    let turn = turn(String::from_utf8_lossy(question).into_owned());
    let mut view = TurnView::of(&turn);
    for line in file.split(|byte| *byte == b'\n') {
        let Ok(entry) = Entry::read(line) else {
            continue;
        };
        let said = view.feed(&entry);
        let words: usize = said.iter().map(|said| said.text.len()).sum();
        assert!(words <= 3 * line.len(), "more words than were written");
        assert!(
            said.is_empty() || view.feed(&entry).is_empty(),
            "said twice"
        );
    }
});

fn turn(text: String) -> Turn {
    let to = Identity::new("+15551234567").expect("a number");
    Turn {
        chat: ChatKey::new(number(), &to),
        to,
        session: SessionKey::new("main-wa-15551234567").expect("a session"),
        key: IdempotencyKey::new("4eb06c98-3ae5-4b63-9be5-e95d3f57e50d").expect("a key"),
        text,
        context: String::new(),
        command: false,
        last: MessageId::new("wamid.LAST").expect("an id"),
    }
}
