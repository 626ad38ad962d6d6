//! `gateway.session_template`: the shape of everyone's session key, with names for what differs.

use std::fmt;

use model::SessionKey;

use crate::problem::Wrong;
use crate::raw::Value;
use crate::read;

/// The shape of a sender's session key. Its placeholders, of which every one is known, are:
///
/// - `{agent}`: the agent of the route, else `gateway.agent`;
/// - `{phone}`: the sender's canonical number with `+`, or for a user id what `{id}` is;
/// - `{id}`: what tells senders apart, `model::Identity::session_suffix`;
/// - `{number}`: the business number's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

/// What may stand in braces, and an example of it.
const PLACEHOLDERS: [(&str, &str); 4] = [
    ("agent", "main"),
    ("phone", "+15551234567"),
    ("id", "15551234567"),
    ("number", "123456789012345"),
];

/// The longest template: what it is filled with has to fit into a session key too (openclaw.md 3.3).
const LONGEST: usize = 100;

impl Template {
    /// The template as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether two senders never have the same key.
    pub(crate) fn tells_senders_apart(&self) -> bool {
        self.0.contains("{phone}") || self.0.contains("{id}")
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A template whose placeholders are known and which makes session keys.
pub(super) fn template(value: &Value) -> Result<Template, Wrong> {
    let text = read::line(value)?;
    let example = example(&text)?;
    let remedy = "write a session key such as agent:{agent}:whatsapp:direct:{phone}";
    if text.chars().count() > LONGEST {
        let what = format!("is longer than {LONGEST} characters");
        return Err(Wrong::new(what, remedy));
    }
    match SessionKey::new(&example) {
        Ok(_) => Ok(Template(text)),
        Err(invalid) => Err(Wrong::new(invalid.to_string(), remedy)),
    }
}

/// The template with an example in the place of each placeholder.
fn example(template: &str) -> Result<String, Wrong> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, braced) = rest.split_at(at);
        let inner = braced
            .strip_prefix('{')
            .and_then(|braced| braced.split_once('}'));
        let Some((name, after)) = inner else {
            return Err(Wrong::new(
                format!("is {}, with a brace alone", read::quoted(template)),
                "write placeholders as {phone}",
            ));
        };
        let known = PLACEHOLDERS.iter().find(|(known, _)| *known == name);
        let Some((_, example)) = known else {
            return Err(unknown(name));
        };
        filled.push_str(before);
        filled.push_str(example);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn unknown(name: &str) -> Wrong {
    let braced = |name: &str| format!("{{{name}}}");
    let names = PLACEHOLDERS.map(|(known, _)| braced(known));
    Wrong::new(
        format!("has {}, which is not known", read::quoted(&braced(name))),
        read::one_of(&braced(name), names.iter().map(String::as_str)),
    )
}
