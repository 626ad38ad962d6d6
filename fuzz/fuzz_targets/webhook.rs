//! Pushed bodies. The first line of an input is the header with the event's name, the rest is the body.

#![no_main]

use kapso::webhook::{self, Kind, MOST};
use kapso_whatsapp_fuzz::{NOW, check, first_line, number};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((event, body)) = first_line(input) else {
        return;
    };
    let event = std::str::from_utf8(event)
        .ok()
        .filter(|event| !event.is_empty());
    let number = number();
    let pushed = webhook::read(&number, event, body, NOW);
    assert!(pushed.arrivals.len() + pushed.receipts.len() <= MOST);
    if let Kind::Other(name) = &pushed.kind {
        assert!(name.len() <= 64 && name.is_ascii());
    }
    check(&pushed.arrivals, body.len());
    for receipt in &pushed.receipts {
        assert_eq!(receipt.number, number, "a receipt for another number");
        let text = receipt.text.as_ref().map_or(0, String::len);
        assert!(text <= body.len(), "more words than came in");
    }
});
