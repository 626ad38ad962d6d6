//! What a session's history says about one turn (openclaw.md 3.2, 4, 5).
//!
//! Pure. The turn's own user row is found by its idempotency key (2026.9.6), by its text, or, where a restart has
//! folded it away (2026.7.35), by the gateway's own row about the interruption. Assistant rows belong to the turn up
//! to the next person's row; what was said before a tool call is not an answer.

use gateway::{History, Role, Row};
use model::{Timestamp, Turn};

use super::state::Session;

/// The texts with which `history` answers `turn`, and the state of the session.
///
/// `asked_at` is when the gateway took the turn, by the gateway's clock; rows before it are not about the turn.
pub(crate) fn in_history(
    history: &History,
    turn: &Turn,
    asked_at: Option<Timestamp>,
) -> (Vec<String>, Session) {
    let texts = own_row(&history.rows, turn, asked_at)
        .map(|own| answers(&history.rows[own + 1..]))
        .unwrap_or_default();
    let session = Session {
        answered: !texts.is_empty(),
        active: history.active,
        pending: history.pending_resume,
    };
    (texts, session)
}

fn own_row(rows: &[Row], turn: &Turn, asked_at: Option<Timestamp>) -> Option<usize> {
    let recent = |row: &Row| asked_at.is_none_or(|asked| row.at.is_none_or(|at| at >= asked));
    let user = |row: &Row| row.role == Role::User;
    rows.iter()
        .rposition(|row| row.asked_under(&turn.key))
        .or_else(|| {
            rows.iter()
                .rposition(|row| user(row) && recent(row) && row.text().contains(turn.text.trim()))
        })
        .or_else(|| {
            rows.iter()
                .rposition(|row| user(row) && asked_at.is_some() && recent(row) && row.recovery)
        })
}

fn answers(rows: &[Row]) -> Vec<String> {
    rows.iter()
        .take_while(|row| row.role != Role::User || row.recovery)
        .filter(|row| row.role == Role::Assistant && row.error.is_none())
        .filter(|row| {
            matches!(
                row.stop_reason.as_deref(),
                Some("stop" | "length" | "end_turn") | None
            )
        })
        .map(|row| row.texts.join("\n\n"))
        .filter(|text| !text.trim().is_empty())
        .collect()
}
