//! Stages 1 and 2: what comes from WhatsApp is read, committed, and only then acted on.
//!
//! One door for now, the list that Kapso keeps. What is new is decided by the ledger, not by the cursor.

pub mod poll;
