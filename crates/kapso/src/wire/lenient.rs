//! Readers of single fields: what has another type than expected is as if it were not there.

use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::Value;

/// Anything, or nothing when it has another shape.
pub(super) fn any<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let value = Value::deserialize(deserializer)?;
    Ok(T::deserialize(value).ok())
}

/// An object, or an empty one.
pub(super) fn object<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    any(deserializer).map(Option::unwrap_or_default)
}

/// The readable elements of a list.
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let values: Option<Vec<Value>> = any(deserializer)?;
    let elements = values.unwrap_or_default().into_iter();
    Ok(elements
        .filter_map(|value| T::deserialize(value).ok())
        .collect())
}

/// A text; a number counts as one. Blank ones do not count.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = match Value::deserialize(deserializer)? {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Ok(None),
    };
    Ok((!text.trim().is_empty()).then_some(text))
}

/// A yes or no, also when written as a text.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(flag) => flag,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    })
}

/// A number with a fraction, also when written as a text.
pub(super) fn float<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let number = match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    Ok(number.filter(|number| number.is_finite()))
}

/// A whole number, also when written as a text or with a fraction, which is dropped.
pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let whole = match &value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    match whole {
        Some(whole) => Ok(Some(whole)),
        None => Ok(float(value).unwrap_or_default().map(|float| float as i64)),
    }
}
