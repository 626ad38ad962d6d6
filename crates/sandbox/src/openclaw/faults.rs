//! Faults that are switched on for the next so many connects or requests.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::gate::Gate;

/// An error as the gateway words it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejection {
    /// The error's code, such as `UNAVAILABLE`.
    pub code: String,
    /// The error's sentence.
    pub message: String,
    /// Its details, such as `{"code":"MISSING_SCOPE"}`.
    pub details: Option<Value>,
    /// Whether the gateway says that the same request may be sent again, and after how long.
    pub retry_after: Option<Duration>,
}

impl Rejection {
    /// A rejection without details.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            details: None,
            retry_after: None,
        }
    }

    /// With `details.code`.
    #[must_use]
    pub fn detail(mut self, code: &str) -> Self {
        self.details = Some(serde_json::json!({ "code": code }));
        self
    }

    /// `INVALID_REQUEST`, the code of most refusals.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("INVALID_REQUEST", message)
    }
}

/// What goes wrong with a connect.
#[derive(Debug, Clone)]
pub enum ConnectFault {
    /// Refused with `UNAVAILABLE` and close 1013: the gateway is starting.
    Starting,
    /// Accepted, but `auth.scopes` is empty, as for a remote client without a device (openclaw.md 6).
    EmptyScopes,
    /// Refused: the device is not approved yet. The request id is the same for the same device.
    NotPaired,
    /// Refused: the token is not the gateway's.
    TokenMismatch,
    /// Refused: no common protocol version.
    ProtocolMismatch,
    /// An event frame comes between the challenge and the answer; then all goes on well.
    EventFirst,
    /// The answer to `connect` is `ok:false` without an error object.
    BareFailure,
    /// No challenge and no answer: the socket is open and silent.
    Mute,
    /// Refused with this error, and closed with this code.
    Reject(Rejection, u16),
}

/// What goes wrong with a request after the connect.
#[derive(Debug, Clone)]
pub enum RequestFault {
    /// Taken, but answered only when the gate is opened. What was asked for happens meanwhile.
    Held(Gate),
    /// Every response to it comes twice.
    Twice,
    /// Answered `ok:false` without an error object; nothing was done.
    BareFailure,
    /// Answered with this error; nothing was done.
    Reject(Rejection),
    /// Neither done nor answered.
    Ignored,
    /// Not done, and the socket is dropped.
    DropBefore,
    /// Done, and the socket is dropped before the first response.
    DropAfter,
}

/// The faults that are switched on. The lock never leaves this file.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    connects: VecDeque<(usize, ConnectFault)>,
    requests: VecDeque<(String, usize, RequestFault)>,
}

impl Faults {
    pub(super) fn on_connect(&self, times: usize, fault: ConnectFault) {
        self.lock().connects.push_back((times, fault));
    }

    pub(super) fn on_request(&self, method: &str, times: usize, fault: RequestFault) {
        self.lock()
            .requests
            .push_back((method.to_owned(), times, fault));
    }

    pub(super) fn clear(&self) {
        *self.lock() = Inner::default();
    }

    /// The fault for a connect that comes now.
    pub(super) fn connect(&self) -> Option<ConnectFault> {
        let mut inner = self.lock();
        inner.connects.retain(|(left, _)| *left > 0);
        let (left, fault) = inner.connects.front_mut()?;
        *left -= 1;
        Some(fault.clone())
    }

    /// The fault for a request of `method` that comes now.
    pub(super) fn request(&self, method: &str) -> Option<RequestFault> {
        let mut inner = self.lock();
        if inner.requests.is_empty() {
            return None;
        }
        inner.requests.retain(|(_, left, _)| *left > 0);
        let (_, left, fault) = inner
            .requests
            .iter_mut()
            .find(|(name, ..)| name == method)?;
        *left -= 1;
        Some(fault.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing is done under the lock that could leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_as_often_as_it_was_told_to_and_only_its_method() {
        let faults = Faults::default();
        faults.on_request("agent", 1, RequestFault::Ignored);
        faults.on_request("agent", 1, RequestFault::Twice);
        assert!(faults.request("health").is_none());
        assert!(matches!(
            faults.request("agent"),
            Some(RequestFault::Ignored)
        ));
        assert!(matches!(faults.request("agent"), Some(RequestFault::Twice)));
        assert!(faults.request("agent").is_none());
        faults.on_connect(2, ConnectFault::Starting);
        assert!(faults.connect().is_some());
        assert!(faults.connect().is_some());
        assert!(faults.connect().is_none());
    }
}
