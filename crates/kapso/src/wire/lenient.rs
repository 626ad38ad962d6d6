//! Readers of single fields: what has another type than expected is as if it were not there.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

/// An object, or nothing.
pub(super) fn any<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(match Read::deserialize(deserializer)? {
        Read::Object(object) => Some(object),
        Read::Text(_) | Read::Number(_) | Read::Flag(_) | Read::Null | Read::List(_) => None,
    })
}

/// An object, or an empty one.
pub(super) fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    any(deserializer).map(Option::unwrap_or_default)
}

/// The objects in a list.
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(match Read::deserialize(deserializer)? {
        Read::List(objects) => objects,
        Read::Text(_) | Read::Number(_) | Read::Flag(_) | Read::Null | Read::Object(_) => {
            Vec::new()
        }
    })
}

/// A text; a number counts as one. Blank ones do not count.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Read::deserialize(deserializer).map(Scalar::text)
}

/// A text that stands alone or as the `text` of an object.
pub(super) fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Read::deserialize(deserializer)? {
        Read::Text(text) => Scalar::Text(text).text(),
        Read::Object(Said { text }) => text,
        Read::Number(_) | Read::Flag(_) | Read::Null | Read::List(_) => None,
    })
}

/// A yes or no, also when written as a text.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(match Scalar::deserialize(deserializer)? {
        Read::Flag(flag) => flag,
        Read::Text(text) => text.eq_ignore_ascii_case("true"),
        Read::Number(_) | Read::Null | Read::Object(_) | Read::List(_) => false,
    })
}

/// A number with a fraction, also when written as a text.
pub(super) fn float<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Scalar::deserialize(deserializer).map(|scalar| scalar.float())
}

/// A whole number, also when written as a text or with a fraction, which is dropped.
pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let scalar = Scalar::deserialize(deserializer)?;
    let whole = match &scalar {
        Read::Number(number) => number.as_i64(),
        Read::Text(text) => text.trim().parse().ok(),
        Read::Flag(_) | Read::Null | Read::Object(_) | Read::List(_) => None,
    };
    Ok(whole.or_else(|| scalar.float().map(|float| float as i64)))
}

#[derive(serde::Deserialize)]
struct Said {
    #[serde(default, deserialize_with = "text")]
    text: Option<String>,
}

/// Any value, read once: objects as `T`, of a list its objects alone.
enum Read<T> {
    Text(String),
    Number(Number),
    Flag(bool),
    Null,
    Object(T),
    List(Vec<T>),
}

/// Any value of which nothing is kept that is not a scalar.
type Scalar = Read<IgnoredAny>;

impl Scalar {
    fn text(self) -> Option<String> {
        let text = match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
            Self::Flag(_) | Self::Null | Self::Object(_) | Self::List(_) => return None,
        };
        (!text.trim().is_empty()).then_some(text)
    }

    fn float(&self) -> Option<f64> {
        let number = match self {
            Self::Number(number) => number.as_f64(),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Flag(_) | Self::Null | Self::Object(_) | Self::List(_) => None,
        };
        number.filter(|number| number.is_finite())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Read<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

struct Reader<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
    type Value = Read<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Read<T>, E> {
        Ok(Read::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Read<T>, E> {
        Ok(Read::Text(text))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Read<T>, E> {
        Ok(Read::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Read<T>, E> {
        Ok(Read::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Read<T>, E> {
        Ok(Number::from_f64(number).map_or(Read::Null, Read::Number))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Read<T>, E> {
        Ok(Read::Flag(flag))
    }

    fn visit_unit<E>(self) -> Result<Read<T>, E> {
        Ok(Read::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Read<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Read::Object)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Read<T>, A::Error> {
        let mut objects = Vec::new();
        while let Some(element) = list.next_element()? {
            if let Read::Object(object) = element {
                objects.push(object);
            }
        }
        Ok(Read::List(objects))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Error;
    use serde_json::de::StrRead;

    use super::*;

    /// Every kind of value that is neither a text nor an object nor a list.
    const OTHERS: [&str; 5] = ["null", "true", "-5", "5", "5.5"];

    type Json<'a> = serde_json::Deserializer<StrRead<'a>>;

    fn read<'a, T>(json: &'a str, reader: fn(&mut Json<'a>) -> Result<T, Error>) -> T {
        let mut json = Json::from_str(json);
        reader(&mut json).unwrap()
    }

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default)]
    struct Named {
        #[serde(deserialize_with = "text")]
        name: Option<String>,
    }

    fn named(name: &str) -> Named {
        let name = Some(name.to_owned());
        Named { name }
    }

    #[test]
    fn an_object_is_an_object_and_nothing_else_is() {
        let one = |json| read::<Option<Named>>(json, |json| any(json));
        assert_eq!(one(r#"{"name":"a","x":[{}]}"#), Some(named("a")));
        assert_eq!(one("{}"), Some(Named::default()));
        for other in OTHERS.into_iter().chain(["[]", r#"[["a"],{}]"#, "\"a\""]) {
            assert_eq!(one(other), None, "{other}");
            assert_eq!(
                read::<Named>(other, |json| object(json)),
                Named::default(),
                "{other}"
            );
        }
    }

    #[test]
    fn of_a_list_the_objects_count() {
        let many = |json| read::<Vec<Named>>(json, |json| list(json));
        let mixed = r#"[{"name":"a"},1,null,["a"],"x",{"name":{}},{"name":"b"}]"#;
        assert_eq!(many(mixed), [named("a"), Named::default(), named("b")]);
        for other in OTHERS.into_iter().chain(["{\"a\":[{}]}", "\"a\""]) {
            assert_eq!(many(other), [], "{other}");
        }
    }

    #[test]
    fn texts_and_numbers_stand_for_each_other() {
        let text = |json| read(json, |json| text(json));
        assert_eq!(text("\"a\\u00e9\"").as_deref(), Some("aé"));
        assert_eq!(
            text("18446744073709551615").as_deref(),
            Some("18446744073709551615")
        );
        assert_eq!(text("-5").as_deref(), Some("-5"));
        for none in ["\" \"", "null", "true", "{\"a\":1}", "[1,[2]]"] {
            assert_eq!(text(none), None, "{none}");
        }
        let whole = |json| read(json, |json| integer(json));
        assert_eq!(
            [whole("7"), whole("\" 7 \""), whole("7.9"), whole("\"7.9\"")],
            [Some(7); 4]
        );
        assert_eq!(
            [whole("null"), whole("\"x\""), whole("[7]"), whole("true")],
            [None; 4]
        );
        let number = |json| read(json, |json| float(json));
        assert_eq!([number("-3.5"), number("\"-3.5\"")], [Some(-3.5); 2]);
        assert_eq!(
            [number("\"NaN\""), number("\"inf\""), number("{}")],
            [None; 3]
        );
    }

    #[test]
    fn a_flag_is_set_by_true_alone() {
        let flag = |json| read(json, |json| flag(json));
        assert!(flag("true") && flag("\"TRUE\""));
        for unset in ["false", "\"yes\"", "1", "null", "[true]", "{\"a\":true}"] {
            assert!(!flag(unset), "{unset}");
        }
    }

    #[test]
    fn what_is_said_stands_alone_or_in_an_object() {
        let said = |json| read(json, |json| said(json));
        assert_eq!(said("\"hi\"").as_deref(), Some("hi"));
        assert_eq!(said(r#"{"a":[1],"text":"hi"}"#).as_deref(), Some("hi"));
        for none in OTHERS
            .into_iter()
            .chain(["\"\"", "{}", r#"{"text":{}}"#, "[\"hi\"]"])
        {
            assert_eq!(said(none), None, "{none}");
        }
    }
}
