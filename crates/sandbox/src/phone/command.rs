//! A typed line: a message, or one of the phone's few commands.
//!
//! Only the phone's own words are commands. Any other line that begins with a slash is a message, because customers
//! do send such lines and the agent must get them as text.

use std::time::Duration;

use model::Identity;

use crate::kapso::{ListFault, SendFault};

/// What can be typed.
pub(super) const HELP: &str = "type a message; /as +NUMBER Name, /fault NAME[=SECONDS] [TIMES], /help, /quit; // sends a slash";

/// The faults by name, for the message after a wrong one.
const FAULTS: &str = "faults: 409 429 500 500-after reset reset-after hang hang-after garbage slow, \
    list-429 list-500 list-reset list-hang list-garbage list-malformed list-repeat list-slow, \
    window-closed window-open, off";

/// The seconds of a fault that needs some and was given none.
const DEFAULT_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Nothing,
    Say(String),
    Become {
        customer: Identity,
        name: Option<String>,
    },
    Fault {
        switch: Switch,
        times: usize,
    },
    Help,
    Quit,
    /// What is wrong with the line.
    Wrong(String),
}

/// What `/fault` switches.
#[derive(Debug, PartialEq)]
pub(super) enum Switch {
    Send(SendFault),
    List(ListFault),
    CloseWindow,
    OpenWindow,
    Off,
}

impl Command {
    pub(super) fn read(line: &str) -> Self {
        let line = line.trim();
        if line.is_empty() {
            return Self::Nothing;
        }
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word {
            "/quit" => Self::Quit,
            "/help" => Self::Help,
            "/as" => Self::read_customer(rest.trim()),
            "/fault" => Self::read_fault(rest.trim()),
            _ if line.starts_with("//") => Self::Say(line[1..].to_owned()),
            _ => Self::Say(line.to_owned()),
        }
    }

    fn read_customer(rest: &str) -> Self {
        let (number, name) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let name = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
        match Identity::new(number) {
            Ok(customer) => Self::Become { customer, name },
            Err(problem) => Self::Wrong(format!("/as +NUMBER Name: the number {problem}")),
        }
    }

    fn read_fault(rest: &str) -> Self {
        let (fault, times) = rest.split_once(char::is_whitespace).unwrap_or((rest, "1"));
        let (name, seconds) = match fault.split_once('=') {
            None => (fault, Some(DEFAULT_WAIT)),
            Some((name, seconds)) => (name, seconds.parse().ok().map(Duration::from_secs)),
        };
        let switch = seconds.and_then(|wait| Switch::read(name, wait));
        match (switch, times.trim().parse()) {
            (Some(switch), Ok(times)) => Self::Fault { switch, times },
            (None, _) | (_, Err(_)) => Self::Wrong(FAULTS.to_owned()),
        }
    }
}

impl Switch {
    fn read(name: &str, wait: Duration) -> Option<Self> {
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
            "window-closed" => Self::CloseWindow,
            "window-open" => Self::OpenWindow,
            "off" => Self::Off,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_phones_own_words_are_commands() {
        for text in [
            "stop",
            "/status",
            "/exec host=gateway",
            "/quitter",
            "/newsletter",
        ] {
            assert_eq!(Command::read(text), Command::Say(text.to_owned()));
        }
        assert_eq!(Command::read("//quit"), Command::Say("/quit".to_owned()));
        assert_eq!(Command::read("  /quit "), Command::Quit);
        assert_eq!(Command::read("   "), Command::Nothing);
    }

    #[test]
    fn customers_and_faults_are_read_with_their_arguments() {
        let customer = Identity::new("+15551234567").unwrap();
        assert_eq!(
            Command::read("/as +15551234567 Ana Maria"),
            Command::Become {
                customer,
                name: Some("Ana Maria".to_owned())
            }
        );
        assert_eq!(
            Command::read("/fault 429=7 3"),
            Command::Fault {
                switch: Switch::Send(SendFault::RateLimited(Duration::from_secs(7))),
                times: 3
            }
        );
        for wrong in [
            "/as nobody",
            "/as",
            "/fault",
            "/fault 500 many",
            "/fault slow=x",
        ] {
            assert!(matches!(Command::read(wrong), Command::Wrong(_)), "{wrong}");
        }
    }
}
