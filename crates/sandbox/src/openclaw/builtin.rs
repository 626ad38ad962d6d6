//! The built-in agent: one word of the customer chooses what is shown.

use std::fmt::Write as _;
use std::time::Duration;

use super::script::{Answer, Asked, Word};

/// What can be written, for people; anything else is echoed.
pub(super) const WORDS: &[Word] = &[
    Word {
        word: "story",
        shows: "a few paragraphs with bold and italic",
    },
    Word {
        word: "long",
        shows: "an answer too long for one message",
    },
    Word {
        word: "table",
        shows: "a table, which WhatsApp has none of",
    },
    Word {
        word: "code",
        shows: "a block of code",
    },
    Word {
        word: "markdown",
        shows: "every kind of formatting",
    },
    Word {
        word: "parts",
        shows: "an answer in three parts",
    },
    Word {
        word: "tools",
        shows: "words, tools, more words",
    },
    Word {
        word: "slow",
        shows: "25 seconds of typing",
    },
    Word {
        word: "wait 5",
        shows: "typing for so many seconds",
    },
    Word {
        word: "silent",
        shows: "the agent chooses to say nothing",
    },
    Word {
        word: "error",
        shows: "the model fails",
    },
    Word {
        word: "empty",
        shows: "the model says nothing at all",
    },
    Word {
        word: "truncate",
        shows: "an answer that is cut off",
    },
];

/// How long `slow` works: long enough to see typing kept up.
const SLOW: Duration = Duration::from_secs(25);

/// The longest `wait N`, in seconds.
const LONGEST_WAIT: u64 = 3600;

/// What `long` exceeds, in characters: two WhatsApp messages and a bit (kapso.md 2.2).
const LONG: usize = 9_000;

const STORY: &str = "\
A lighthouse keeper once counted the ships that passed, one mark on the wall for each.

When the wall was full he climbed to the lamp room and counted on the glass, so that every night his \
numbers swept across the sea.

One captain, reading *4 096* over his deck, laughed and signalled back: _we are only one_.

The keeper wiped the pane clean and began again, at one.";

const TABLE: &str = "\
Here is the table:

| Plan | Price | Messages |
|------|------:|----------|
| Free | 0 | 100 |
| Team | 20 | 5 000 |
| **Business** | 90 | unlimited |

Ask for any of them.";

const CODE: &str = "\
This prints the first ten squares:

```python
for n in range(1, 11):
    # one line each
    print(n, n * n)
```

Use `n ** 2` if you prefer.";

const MARKDOWN: &str = "\
# Opening hours

We are **open**, _every day_, ~~except Sunday~~:

- breakfast from `07:30`
- dinner until **22:00**

1. Write to us
2. Get an answer

> A quoted line.

More at https://example.org/hours.";

/// The answer to what a customer wrote.
pub(super) fn answer(asked: &Asked) -> Answer {
    let words = asked.words().trim();
    let mut parts = words.split_whitespace();
    let first = parts.next().unwrap_or_default().to_lowercase();
    match first.as_str() {
        "story" => Answer::text(STORY),
        "long" => Answer::text(long()),
        "table" => Answer::text(TABLE),
        "code" => Answer::text(CODE),
        "markdown" => Answer::text(MARKDOWN),
        "slow" => Answer::text("That took a while.").waiting(SLOW),
        "wait" => wait(parts.next()),
        "tools" => Answer::text("I looked: everything is fine.")
            .with_tool("Let me check.")
            .with_tool("One more look."),
        "parts" => Answer::texts(["The first part.", "The second part.", "The third part."]),
        "silent" => Answer::silent(),
        "error" => Answer::failed(
            "LLM request failed: provider rejected the request schema or tool payload.",
        ),
        "empty" => Answer::empty(),
        "truncate" => Answer::truncated("This sentence was going to be longer, but"),
        _ => Answer::text(format!("You said: {words}")),
    }
}

fn wait(seconds: Option<&str>) -> Answer {
    match seconds.map(str::parse::<u64>) {
        Some(Ok(seconds)) => {
            let seconds = seconds.min(LONGEST_WAIT);
            Answer::text(format!("Waited {seconds} s.")).waiting(Duration::from_secs(seconds))
        }
        Some(Err(_)) | None => Answer::text("Say how many seconds: wait 30"),
    }
}

fn long() -> String {
    let mut text = String::new();
    let mut number = 1;
    while text.len() <= LONG {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "Paragraph {number} of a long answer. It has a few sentences, so that there is something to cut \
             at. None of them says much.\n\n"
        );
        number += 1;
    }
    text.push_str("The end.");
    text
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use serde_json::Value;

    use super::super::script::End;
    use super::*;

    fn end(text: &str) -> End {
        answer(&Asked {
            session: "agent:main:a".to_owned(),
            key: "k".to_owned(),
            text: text.to_owned(),
            params: Value::Null,
            at: Timestamp::from_millis(0),
            resumed: false,
        })
        .end
    }

    #[test]
    fn the_envelope_line_is_not_part_of_the_question() {
        let End::Texts(texts) = end("From: +15551234567 (Ann) [role: guest]\nhello there") else {
            panic!("an echo is a text");
        };
        assert_eq!(texts, ["You said: hello there"]);
    }

    #[test]
    fn every_word_that_is_told_to_people_does_something() {
        for Word { word, .. } in WORDS {
            let echo = format!("You said: {word}");
            assert!(
                !matches!(end(word), End::Texts(texts) if texts == [echo.clone()]),
                "{word}"
            );
        }
    }

    #[test]
    fn words_choose_the_ending() {
        assert!(matches!(end("From: +1\nsilent"), End::Silent));
        assert!(matches!(end("Error please"), End::Failed(_)));
        assert!(matches!(end("truncate"), End::Truncated(_)));
        assert!(matches!(end("empty"), End::Empty));
        assert!(matches!(end("parts"), End::Texts(texts) if texts.len() == 3));
        assert!(matches!(end("long"), End::Texts(texts) if texts[0].chars().count() > LONG));
    }
}
