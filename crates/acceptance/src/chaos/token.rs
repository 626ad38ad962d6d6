//! The words of a customer's message, each unlike every other, and the agent that answers with them.
//!
//! `q3x12` is message 12 of customer 3. The answer to it is `q3x12`, or for some of them several texts `q3x12p1of3`,
//! `q3x12p2of3`, `q3x12p3of3`. An answer to several messages at once holds the tokens of all of them.

use std::fmt;

use sandbox::openclaw::{Answer, Asked};

/// Every so many messages of a customer are answered in several texts.
const PARTED_EVERY: u32 = 9;

/// In so many.
const PARTS: u32 = 3;

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// The customer.
    pub customer: u32,
    /// Which of the customer's messages it is, from 1, in the order in which they are meant to be answered.
    pub number: u32,
}

/// A token as it stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The token.
    pub token: Token,
    /// Which part of its answer, from 1.
    pub part: u32,
    /// Of how many.
    pub of: u32,
}

impl Token {
    /// In how many texts it is answered when it is asked alone.
    fn parts(self) -> u32 {
        if self.number % PARTED_EVERY == PARTED_EVERY / 2 {
            PARTS
        } else {
            1
        }
    }
}

impl Mark {
    /// All parts of the answer that this is one of.
    pub fn whole(self) -> impl Iterator<Item = Self> {
        (1..=self.of).map(move |part| Self { part, ..self })
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "q{}x{}", self.customer, self.number)
    }
}

/// The tokens in a text, in their order.
pub fn marks(text: &str) -> Vec<Mark> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter_map(mark)
        .collect()
}

fn mark(word: &str) -> Option<Mark> {
    let (customer, rest) = word.strip_prefix('q')?.split_once('x')?;
    let (number, part) = rest.split_once('p').unwrap_or((rest, "1of1"));
    let (part, of) = part.split_once("of")?;
    Some(Mark {
        token: Token {
            customer: customer.parse().ok()?,
            number: number.parse().ok()?,
        },
        part: part.parse().ok()?,
        of: of.parse().ok()?,
    })
}

/// The agent's answer to a question.
pub fn answer(asked: &Asked) -> Answer {
    let tokens: Vec<Token> = marks(asked.words())
        .into_iter()
        .map(|it| it.token)
        .collect();
    match tokens[..] {
        [alone] if alone.parts() > 1 => {
            let of = alone.parts();
            Answer::texts((1..=of).map(|part| format!("{alone}p{part}of{of}")))
        }
        _ => {
            let words: Vec<String> = tokens.iter().map(Token::to_string).collect();
            Answer::text(words.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_among_other_words_and_nothing_else_is_one() {
        let token = Token {
            customer: 3,
            number: 12,
        };
        let found =
            marks("From: +15550000003 [role: member]\n10:30 q3x12, quiet q3 x12 q3x12p2of3.");
        let places: Vec<(Token, u32, u32)> =
            found.iter().map(|it| (it.token, it.part, it.of)).collect();
        assert_eq!(places, [(token, 1, 1), (token, 2, 3)]);
        assert_eq!(marks(&token.to_string())[0].token, token);
    }
}
