//! What the targets share: how an input is cut into its parts, and what must hold for whatever was read.

use model::{Arrival, Content, Inbound, NumberId, Timestamp};

/// The business number that everything is read for.
pub const NUMBER: &str = "597907523413541";

/// The time at which everything is read.
pub const NOW: Timestamp = Timestamp::from_seconds(1_788_000_500);

/// What an arrival may hold beside what came in: keys, ids and names of fields.
const OVERHEAD: usize = 2048;

/// How much longer a text can become when it is written down: one byte that is no character is read as one of three,
/// and an id or a name can stand in two places.
const GROWTH: usize = 8;

/// The business number.
pub fn number() -> NumberId {
    NumberId::new(NUMBER).expect("digits are a number's id")
}

/// The first line of an input, and what follows it.
pub fn first_line(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = input.iter().position(|byte| *byte == b'\n')?;
    Some((&input[..end], &input[end + 1..]))
}

/// Checks what was read from `bytes` bytes: each message can be written to the journal and read back as it was, and
/// all together take no more memory than goes with the input's size.
///
/// # Panics
/// When that does not hold.
pub fn check<'a>(arrivals: impl IntoIterator<Item = &'a Arrival>, bytes: usize) {
    let (mut written, mut count) = (0, 0);
    for arrival in arrivals {
        let json = serde_json::to_string(arrival).expect("an arrival can be written");
        written += json.len();
        count += 1;
        let again: Arrival = serde_json::from_str(&json).expect("what was written can be read");
        match (arrival, &again) {
            (Arrival::Message(inbound), Arrival::Message(again)) => same(inbound, again),
            (Arrival::Ignored(ignored), Arrival::Ignored(again)) => assert_eq!(ignored, again),
            _ => panic!("{json} became something else"),
        }
    }
    let most = GROWTH * bytes + OVERHEAD * count;
    assert!(
        written <= most,
        "{written} bytes from {bytes} bytes with {count} arrivals"
    );
}

fn same(inbound: &Inbound, again: &Inbound) {
    match (&inbound.content, &again.content) {
        // Degrees may lose their last digit.
        (Content::Location(_), Content::Location(_)) => assert_eq!(inbound.id, again.id),
        _ => assert_eq!(inbound, again),
    }
}
