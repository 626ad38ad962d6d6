//! `[identity]`: the tokens with which an agent's tools prove to a backend who is speaking.

use crate::draft::Draft;
use crate::key::{Key, Preset};
use crate::read;
use crate::show::Shown;

pub(crate) static AUDIENCE: Key = Key::new(
    "identity.audience",
    &["KAPSO_IDENTITY_AUDIENCE"],
    Preset::Nothing,
    "the backend that identity tokens are for (`aud`); without it none are issued",
);

pub(crate) static ISSUER: Key = Key::new(
    "identity.issuer",
    &["KAPSO_IDENTITY_ISSUER"],
    Preset::Text("kapso-whatsapp"),
    "the name of this bridge in identity tokens (`iss`)",
);

/// How identity tokens are made out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentitySettings {
    /// The backend that they are for; without one none are issued.
    pub audience: Option<String>,
    /// The name of this bridge in them.
    pub issuer: String,
}

impl IdentitySettings {
    pub(crate) fn check(draft: &mut Draft<'_>) -> Option<Self> {
        let audience = draft.get(&AUDIENCE, read::line);
        let issuer = draft.get(&ISSUER, read::line);
        Some(Self {
            audience,
            issuer: issuer?,
        })
    }

    pub(crate) fn show(&self, shown: &mut Shown) {
        shown.maybe(&AUDIENCE, self.audience.as_ref());
        shown.text(&ISSUER, &self.issuer);
    }
}
