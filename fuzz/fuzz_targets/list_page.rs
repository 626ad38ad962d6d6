//! Pages of Kapso's message list.

#![no_main]

use kapso::Page;
use kapso_whatsapp_fuzz::{NOW, check, number};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let Ok(page) = Page::read(&number(), body, NOW) else {
        return;
    };
    check(page.items.iter().map(|item| &item.arrival), body.len());
    assert!(page.after.is_none_or(|after| after.len() <= body.len()));
});
