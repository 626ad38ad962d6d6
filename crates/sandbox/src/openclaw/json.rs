//! JSON objects written in the order in which the gateway writes them.
//!
//! `serde_json` sorts the keys of a `Value`; a stand-in that is compared with recorded frames, byte by byte or
//! by eye, should not. Writing straight into text is also the cheapest way to answer thousands of sessions.

use serde::Serialize;

/// A JSON object under construction.
#[derive(Debug, Clone)]
pub(super) struct Object {
    text: String,
}

impl Object {
    /// `{`.
    pub(super) fn new() -> Self {
        Self {
            text: String::from("{"),
        }
    }

    /// Adds what serde makes of `value`; a value that JSON has no form for becomes `null`.
    pub(super) fn with(self, key: &str, value: impl Serialize) -> Self {
        let json = serde_json::to_string(&value).unwrap_or_else(|_unwritable| "null".to_owned());
        self.raw(key, &json)
    }

    /// Adds text that is JSON already.
    pub(super) fn raw(mut self, key: &str, json: &str) -> Self {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        self.text.push('"');
        self.text.push_str(key);
        self.text.push_str("\":");
        self.text.push_str(json);
        self
    }

    /// Adds an object.
    pub(super) fn nest(self, key: &str, value: Self) -> Self {
        self.raw(key, &value.end())
    }

    /// Adds an array of objects.
    pub(super) fn list(self, key: &str, values: impl IntoIterator<Item = Self>) -> Self {
        let json = array(values);
        self.raw(key, &json)
    }

    /// Adds fields that only some releases or some outcomes have.
    pub(super) fn when(self, condition: bool, add: impl FnOnce(Self) -> Self) -> Self {
        if condition { add(self) } else { self }
    }

    /// Adds a field that may be missing.
    pub(super) fn maybe(self, key: &str, value: Option<impl Serialize>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Adds text that is JSON already, where there is some.
    pub(super) fn maybe_raw(self, key: &str, json: Option<&str>) -> Self {
        match json {
            Some(json) => self.raw(key, json),
            None => self,
        }
    }

    /// `}`.
    pub(super) fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// `[…]` of objects.
pub(super) fn array(values: impl IntoIterator<Item = Object>) -> String {
    let mut json = String::from("[");
    for value in values {
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(&value.end());
    }
    json.push(']');
    json
}

/// A `{"type":"text","text":…}` block.
pub(super) fn text_block(text: &str) -> Object {
    Object::new().with("type", "text").with("text", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_order_and_text_is_escaped() {
        let json = Object::new()
            .with("zeta", "say \"hi\"\n")
            .nest("alpha", Object::new())
            .list("list", [text_block("a"), text_block("b")])
            .maybe("none", None::<u8>)
            .when(true, |o| o.with("last", 1))
            .end();
        assert_eq!(
            json,
            r#"{"zeta":"say \"hi\"\n","alpha":{},"list":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"last":1}"#
        );
    }
}
