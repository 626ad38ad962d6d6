//! The WhatsApp edge: Kapso's message list, sending, read receipts, files, webhooks and their registration, and what
//! its refusals mean.
//!
//! One [`Client`] speaks for one business number; those of one account share its limit of requests. It never repeats
//! a request by itself: each [`Error`] has a [`Class`] that says whether the caller may, and whether a message may
//! have gone out all the same. The API key travels only to the configured host; redirects are not followed, but by
//! [`media`], whose requests carry no key.

mod client;
mod error;
mod lag;
mod list;
pub mod media;
pub mod platform;
mod quota;
mod send;
pub mod webhook;
pub mod wire;

pub use client::{Client, Deadlines, InvalidOptions, Options};
pub use error::{Call, Class, Code, Error, Refusal};
pub use list::{Direction, Health, ListQuery, MAX_PAGES, Page};
pub use platform::Platform;
pub use quota::Quota;
pub use reqwest::Url;
pub use wire::{Listed, Sent};
