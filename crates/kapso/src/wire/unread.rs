//! Looks into JSON without reading all of it.
//!
//! What is looked for is found by name or by place and stays text until somebody reads it, so that memory goes with
//! one element at a time, and what is wrong with one element is no matter of the others.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::lenient;

/// The values of `names` in an object, in their order. None for what is absent or null, and for all of them when
/// `json` is no object. Of two values under one name the last counts.
pub(crate) fn pick<'a, const N: usize>(
    json: &'a RawValue,
    names: [&str; N],
) -> [Option<&'a RawValue>; N] {
    let mut reader = serde_json::Deserializer::from_str(json.get());
    let picked = reader.deserialize_map(Fields(names));
    picked.unwrap_or([None; N])
}

/// The elements of a list, at most `most` of them; nothing when `json` is none.
pub(crate) fn elements(json: &RawValue, most: usize) -> Elements<'_> {
    let mut reader = serde_json::Deserializer::from_str(json.get());
    reader.deserialize_seq(List { most }).unwrap_or_default()
}

/// The elements of a list, unread.
#[derive(Debug, Default)]
pub(crate) struct Elements<'a> {
    /// The first ones.
    pub(crate) taken: Vec<&'a RawValue>,
    /// How many there are beyond those.
    pub(crate) beyond: usize,
}

/// A text, or a number as text; none when it is blank or something else.
pub(crate) fn text(json: &RawValue) -> Option<String> {
    let mut reader = serde_json::Deserializer::from_str(json.get());
    lenient::text(&mut reader).unwrap_or_default()
}

pub(crate) fn is_object(json: &RawValue) -> bool {
    json.get().starts_with('{')
}

pub(crate) fn is_list(json: &RawValue) -> bool {
    json.get().starts_with('[')
}

struct Fields<'n, const N: usize>([&'n str; N]);

impl<'a, const N: usize> Visitor<'a> for Fields<'_, N> {
    type Value = [Option<&'a RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(place) = map.next_key_seed(Place(&self.0))? {
            match place.and_then(|place| found.get_mut(place)) {
                Some(slot) => *slot = map.next_value()?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// Reads a name as its place among those that are looked for.
struct Place<'n>(&'n [&'n str]);

impl<'a> DeserializeSeed<'a> for Place<'_> {
    type Value = Option<usize>;

    fn deserialize<D: serde::Deserializer<'a>>(self, name: D) -> Result<Option<usize>, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|wanted| *wanted == name))
    }
}

struct List {
    most: usize,
}

impl<'a> Visitor<'a> for List {
    type Value = Elements<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut elements = Elements::default();
        while elements.taken.len() < self.most {
            match list.next_element()? {
                Some(element) => elements.taken.push(element),
                None => return Ok(elements),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            elements.beyond += 1;
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn fields_are_found_by_name_and_the_last_of_two_counts() {
        let json = raw(r#"{"b":[1, 2],"x":{"a":0},"a":1,"c":null,"\u0061":"2"}"#);
        let found = pick(json, ["a", "b", "c", "d"]).map(|value| value.map(RawValue::get));
        assert_eq!(found, [Some("\"2\""), Some("[1, 2]"), None, None]);
        for other in ["[1]", "\"a\"", "1", "null"] {
            assert!(pick(raw(other), ["a"])[0].is_none(), "{other}");
        }
    }

    #[test]
    fn a_long_list_is_cut_and_the_rest_counted() {
        let list = elements(raw(r#"[1,{"a":[]},"\ud83d",null]"#), 3);
        let taken: Vec<_> = list.taken.iter().map(|it| it.get()).collect();
        assert_eq!(
            (taken, list.beyond),
            (vec!["1", r#"{"a":[]}"#, r#""\ud83d""#], 1)
        );
        assert_eq!(elements(raw("{}"), 3).taken.len(), 0);
    }

    #[test]
    fn a_number_is_a_text_too() {
        let text = |json| text(raw(json));
        assert_eq!(text("597907523413541").as_deref(), Some("597907523413541"));
        assert_eq!(text("\"5979\"").as_deref(), Some("5979"));
        for none in ["\" \"", "null", "[]", "{}", r#""\ud83d""#] {
            assert_eq!(text(none), None, "{none}");
        }
    }
}
