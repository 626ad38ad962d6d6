//! What can go wrong with a request, and what the caller may do about it.
//!
//! One function decides: [`Error::class`]. A refusal is judged by its code first (`error/code.rs`), then by its HTTP
//! status. Where the answer to a send is missing or says nothing about the message, the class is
//! [`Class::Unknown`], because there is no idempotency key that would make a repetition safe (kapso.md 2.1).

mod code;
mod refusal;
mod wait;

use std::fmt;
use std::time::Duration;

pub use refusal::{Code, Refusal};
pub(crate) use wait::{answered_at, retry_after};

use crate::list::MAX_PAGES;

/// What was asked of Kapso.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Reading the message list.
    List,
    /// Sending a message.
    Send,
    /// Marking a message read, with or without typing.
    Mark,
    /// Managing a number's webhooks.
    Webhook,
    /// Asking where a file is.
    Media,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Send => "send",
            Self::Mark => "mark read",
            Self::Webhook => "webhooks",
            Self::Media => "media",
        })
    }
}

/// What the caller may do after an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nothing was done; the same request may succeed in a moment.
    Retryable,
    /// Nothing was done; the same request may succeed after this time.
    RetryAfter(Duration),
    /// The person wrote too long ago: only a template may be sent (kapso.md 2.9).
    WindowClosed,
    /// This message will never be accepted.
    Permanent,
    /// Nothing will be accepted until the operator mends something: key, credits, number, permission.
    Operator,
    /// The message may have been accepted: look for it in the outbound list before sending it again.
    Unknown,
}

/// Why a request did not succeed. Its text holds neither the API key nor the words of a message.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection came about: nothing was sent.
    #[error("{call}: cannot reach Kapso: {cause}")]
    NotReached {
        /// What was asked.
        call: Call,
        /// The network's account of it.
        cause: String,
    },
    /// No complete answer in time.
    #[error("{call}: no answer within {after:?}")]
    Deadline {
        /// What was asked.
        call: Call,
        /// How long it was waited for.
        after: Duration,
    },
    /// The connection ended before the answer did.
    #[error("{call}: the connection was lost: {cause}")]
    Lost {
        /// What was asked.
        call: Call,
        /// The network's account of it.
        cause: String,
    },
    /// Kapso or WhatsApp said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// Kapso said yes in words that cannot be understood.
    #[error("{call}: cannot read the answer: {what}")]
    Unreadable {
        /// What was asked.
        call: Call,
        /// What is wrong with the answer, without its content.
        what: String,
    },
    /// The list did not end.
    #[error("list: more than {MAX_PAGES} pages; read a shorter time")]
    TooManyPages,
    /// A cursor led back to where it had been.
    #[error("list: the paging goes round in a circle")]
    PagingLoop,
}

impl Error {
    /// What became of a request that `error` ended.
    pub(crate) fn of_transport(call: Call, deadline: Duration, error: reqwest::Error) -> Self {
        if error.is_connect() || error.is_builder() {
            let cause = root_cause(error);
            Self::NotReached { call, cause }
        } else if error.is_timeout() {
            Self::Deadline {
                call,
                after: deadline,
            }
        } else {
            let cause = root_cause(error);
            Self::Lost { call, cause }
        }
    }

    /// What the caller may do now.
    pub fn class(&self) -> Class {
        match self {
            Self::NotReached { .. } | Self::PagingLoop => Class::Retryable,
            Self::Deadline { call, .. }
            | Self::Lost { call, .. }
            | Self::Unreadable { call, .. } => without_word(*call),
            Self::Refused(refusal) => refusal.class(),
            Self::TooManyPages => Class::Operator,
        }
    }

    /// How long to wait before repetition number `repeat` of this request, counted from 1, where Kapso or WhatsApp
    /// says it. For [`Class::RetryAfter`] that is its wait, but for too many messages to one person (131056) one that
    /// grows: 6, 16, 64, 256 s (kapso.md 2.10). None where it is the caller's own choice, or no repetition is of use.
    pub fn wait_before(&self, repeat: u32) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal.wait_before(repeat),
            Self::NotReached { .. }
            | Self::Deadline { .. }
            | Self::Lost { .. }
            | Self::Unreadable { .. }
            | Self::TooManyPages
            | Self::PagingLoop => None,
        }
    }

    /// WhatsApp's error code, where the refusal carries a number.
    pub fn code(&self) -> Option<i64> {
        match self {
            Self::Refused(refusal) => refusal.code().and_then(Code::number),
            Self::NotReached { .. }
            | Self::Deadline { .. }
            | Self::Lost { .. }
            | Self::Unreadable { .. }
            | Self::TooManyPages
            | Self::PagingLoop => None,
        }
    }
}

/// The class of a request about which there is no word from WhatsApp.
fn without_word(call: Call) -> Class {
    match call {
        Call::Send => Class::Unknown,
        Call::List | Call::Mark | Call::Media | Call::Webhook => Class::Retryable,
    }
}

/// The innermost reason, which says more than "error sending request". Without the URL: a base may be private.
pub(crate) fn root_cause(error: reqwest::Error) -> String {
    innermost(&error.without_url()).to_string()
}

/// What an error comes from in the end.
pub(crate) fn innermost<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> &'e (dyn std::error::Error + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}
