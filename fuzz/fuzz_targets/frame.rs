//! Frames of a gateway, to everyone who reads one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use model::IdempotencyKey;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let key = IdempotencyKey::new("2ceb6888-c7e1-468e-a439-880cb08d46c7").expect("a key");
    gateway::fuzzing::frame(text, &key);
});
