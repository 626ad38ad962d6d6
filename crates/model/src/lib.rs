//! The nouns of the bridge, without any I/O.
//!
//! Everything that passes between stages is one of these types. An invariant is checked where a value is
//! born and cannot be broken afterwards; what the outside sends is turned into these types by the edge crates.

mod arrival;
mod host;
mod identity;
mod ids;
mod outgoing;
mod receipt;
mod time;
mod turn;

pub use arrival::{
    Arrival, Choice, Contact, Content, IgnoreReason, Ignored, Inbound, Location, Media, MediaKind,
    Source,
};
pub use host::{HostPattern, InvalidPattern};
pub use identity::{ChatKey, Identity, InvalidIdentity, Phone, UserId};
pub use ids::{IdempotencyKey, InvalidId, MessageId, NumberId, RunId, SessionKey};
pub use outgoing::{Outgoing, OutgoingBody, Reply};
pub use receipt::{Fate, Receipt};
pub use time::{Clock, Timestamp};
pub use turn::{Picture, Role, Turn};
