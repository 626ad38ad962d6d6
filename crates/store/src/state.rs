//! The states of the three kinds of row, and the names of the rows.
//!
//! The texts are what stands in the file and in reports; a new state is a new migration.

use std::fmt;

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// All of them, in the order of a life.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The state as it stands in the file and in reports.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// The state of that name.
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

states! {
    /// Where an item that came in stands.
    MessageState {
        /// On disk, and nothing more.
        Received = "received",
        /// Part of an unfinished turn.
        InTurn = "in_turn",
        /// Its turn ended as it should, with words or with silence.
        Answered = "answered",
        /// The guard turned it away.
        Refused = "refused",
        /// Nothing for the agent.
        Ignored = "ignored",
        /// Its turn failed, or it could not become one.
        Failed = "failed",
        /// Too old to be answered when its turn came.
        Expired = "expired",
        /// Given up by the operator.
        Dropped = "dropped",
    }
}

states! {
    /// Where a question to the agent stands.
    TurnState {
        /// Not asked yet.
        Queued = "queued",
        /// A request for it is about to go out, or went out.
        Asked = "asked",
        /// The agent answered.
        Answered = "answered",
        /// The agent chose to say nothing.
        Silent = "silent",
        /// There is no answer and there will be none.
        Failed = "failed",
    }
}

states! {
    /// Where a message to WhatsApp stands.
    OutgoingState {
        /// Waits for its turn, or for the time of its next try.
        Queued = "queued",
        /// A request for it is about to go out or went out, and no answer was seen.
        Sending = "sending",
        /// The answer to its request was lost: it may have been taken.
        Unknown = "unknown",
        /// WhatsApp took it and named it.
        Sent = "sent",
        /// It will never be sent, or never arrive.
        Failed = "failed",
        /// Given up by the operator.
        Dropped = "dropped",
    }
}

macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) i64);

        impl $name {
            /// The number, as in reports.
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

row_id! {
    /// A turn in the journal. Never given twice.
    TurnId
}

row_id! {
    /// An outgoing message in the journal. Never given twice; grows in the order of sending within a chat.
    OutgoingId
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The agent answered.
    Answered,
    /// The agent chose to say nothing.
    Silent,
    /// There is no answer and there will be none.
    Failed {
        /// Why, for the log and for reports; the customer never sees it.
        reason: String,
    },
}

impl Settled {
    pub(crate) fn turn_state(&self) -> TurnState {
        match self {
            Self::Answered => TurnState::Answered,
            Self::Silent => TurnState::Silent,
            Self::Failed { .. } => TurnState::Failed,
        }
    }

    pub(crate) fn message_state(&self) -> MessageState {
        match self {
            Self::Answered | Self::Silent => MessageState::Answered,
            Self::Failed { .. } => MessageState::Failed,
        }
    }

    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Answered | Self::Silent => None,
            Self::Failed { reason } => Some(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_read_back_from_its_name() {
        for state in MessageState::ALL {
            assert_eq!(MessageState::parse(state.as_str()), Some(*state));
        }
        for state in TurnState::ALL {
            assert_eq!(TurnState::parse(state.as_str()), Some(*state));
        }
        for state in OutgoingState::ALL {
            assert_eq!(OutgoingState::parse(state.as_str()), Some(*state));
        }
        assert_eq!(OutgoingState::parse("Queued"), None);
    }
}
