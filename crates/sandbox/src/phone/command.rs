//! A typed line: a message, or one of the phone's few commands.
//!
//! Only the phone's own words are commands. Any other line that begins with a slash is a message, because customers
//! do send such lines and the agent must get them as text.

use model::Identity;

use crate::switch::{FAULTS, Switch};

/// What can be typed.
pub(super) const HELP: &str = "type a message; /as +NUMBER Name, /fault NAME[=SECONDS] [TIMES], /help, /quit; // sends a slash";

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
        match (Switch::read(fault), times.trim().parse()) {
            (Some(switch), Ok(times)) => Self::Fault { switch, times },
            (None, _) | (_, Err(_)) => Self::Wrong(FAULTS.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::kapso::SendFault;

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
