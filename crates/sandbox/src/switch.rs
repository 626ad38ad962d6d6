//! Faults by name, as a person at one of the phones switches them on.

use std::time::Duration;

use crate::kapso::{DeliveryFault, KapsoStandIn, ListFault, SendFault};

/// The faults by name, for the message after a wrong one. Each may have seconds after it, as in `429=7`.
pub(crate) const FAULTS: &str = "faults: 409 429 500 500-after reset reset-after hang hang-after garbage slow, \
    list-429 list-500 list-reset list-hang list-garbage list-malformed list-repeat list-slow, \
    push-lost push-twice push-late push-overtaken push-unheard, window-closed window-open, off";

/// The seconds of a fault that needs some and was given none.
const DEFAULT_WAIT: Duration = Duration::from_secs(5);

/// What can be switched.
#[derive(Debug, PartialEq)]
pub(crate) enum Switch {
    /// The next sends go wrong.
    Send(SendFault),
    /// The next reads of the list go wrong.
    List(ListFault),
    /// The next webhook deliveries of customers' messages go wrong.
    Push(DeliveryFault),
    /// A customer's 24-hour window closes.
    CloseWindow,
    /// It opens again.
    OpenWindow,
    /// Everything is as it should be.
    Off,
}

impl Switch {
    /// Reads `NAME` or `NAME=SECONDS`; none when there is no such fault.
    pub(crate) fn read(fault: &str) -> Option<Self> {
        let (name, wait) = match fault.split_once('=') {
            None => (fault, DEFAULT_WAIT),
            Some((name, seconds)) => (name, Duration::from_secs(seconds.parse().ok()?)),
        };
        Self::named(name, wait)
    }

    fn named(name: &str, wait: Duration) -> Option<Self> {
        Some(match name {
            "409" => Self::Send(SendFault::InFlight),
            "429" => Self::Send(SendFault::RateLimited(wait)),
            "500" => Self::Send(SendFault::ServerError),
            "500-after" => Self::Send(SendFault::ServerErrorAfterAccepting),
            "reset" => Self::Send(SendFault::Reset),
            "reset-after" => Self::Send(SendFault::ResetAfterAccepting),
            "hang" => Self::Send(SendFault::Hang),
            "hang-after" => Self::Send(SendFault::HangAfterAccepting),
            "garbage" => Self::Send(SendFault::Garbage),
            "slow" => Self::Send(SendFault::Delay(wait)),
            "list-429" => Self::List(ListFault::RateLimited(wait)),
            "list-500" => Self::List(ListFault::ServerError),
            "list-reset" => Self::List(ListFault::Reset),
            "list-hang" => Self::List(ListFault::Hang),
            "list-garbage" => Self::List(ListFault::NotJson),
            "list-malformed" => Self::List(ListFault::MalformedElement),
            "list-repeat" => Self::List(ListFault::RepeatedPage),
            "list-slow" => Self::List(ListFault::Delay(wait)),
            "push-lost" => Self::Push(DeliveryFault::Lost),
            "push-twice" => Self::Push(DeliveryFault::Twice),
            "push-late" => Self::Push(DeliveryFault::Late(wait)),
            "push-overtaken" => Self::Push(DeliveryFault::Overtaken(wait)),
            "push-unheard" => Self::Push(DeliveryFault::Unheard(1)),
            "window-closed" => Self::CloseWindow,
            "window-open" => Self::OpenWindow,
            "off" => Self::Off,
            _ => return None,
        })
    }

    /// Switches it, for the next `times` requests and, where it concerns one, for `customer`; says what was done.
    pub(crate) fn set(self, kapso: &KapsoStandIn, customer: &str, times: usize) -> String {
        let faults = kapso.faults();
        match self {
            Self::Send(fault) => {
                faults.next_sends(times, fault);
                format!("next sends with this fault: {times}")
            }
            Self::List(fault) => {
                faults.next_lists(times, fault);
                format!("next polls with this fault: {times}")
            }
            Self::Push(fault) => {
                faults.next_deliveries(times, fault);
                format!("next pushes with this fault: {times}")
            }
            Self::CloseWindow => {
                faults.close_window(customer);
                format!("the 24-hour window of {customer} is closed")
            }
            Self::OpenWindow => {
                faults.open_window(customer);
                format!("the 24-hour window of {customer} is open")
            }
            Self::Off => {
                faults.clear();
                "all faults are off".to_owned()
            }
        }
    }
}
