//! `[kapso]`: the account and the number at Kapso.

use model::NumberId;
use secrecy::SecretString;
use url::Url;

use crate::draft::Draft;
use crate::key::{Key, Preset};
use crate::problem::Wrong;
use crate::read;
use crate::show::Shown;

pub(crate) static API_KEY: Key = Key::new(
    "kapso.api_key",
    &["KAPSO_API_KEY"],
    Preset::Required,
    "the project's API key at Kapso",
)
.secret();

pub(crate) static PHONE_NUMBER_ID: Key = Key::new(
    "kapso.phone_number_id",
    &["KAPSO_PHONE_NUMBER_ID"],
    Preset::Required,
    "the business number, by Meta's id of it (not the number itself)",
)
.private();

pub(crate) static BASE_URL: Key = Key::new(
    "kapso.base_url",
    &["KAPSO_BASE_URL"],
    Preset::Text("https://api.kapso.ai/meta/whatsapp/v24.0"),
    "where messages are listed and sent",
);

pub(crate) static PLATFORM_URL: Key = Key::new(
    "kapso.platform_url",
    &["KAPSO_PLATFORM_URL"],
    Preset::Text("https://api.kapso.ai/platform/v1"),
    "where the number's webhooks are managed",
);

/// The account and the number at Kapso.
#[derive(Debug, Clone)]
pub struct Kapso {
    /// The API key, sent to `base_url` and `platform_url` and nowhere else.
    pub api_key: SecretString,
    /// The business number.
    pub phone_number_id: NumberId,
    /// Where messages are listed and sent.
    pub base_url: Url,
    /// Where webhooks are managed.
    pub platform_url: Url,
}

impl Kapso {
    pub(crate) fn check(draft: &mut Draft<'_>) -> Option<Self> {
        let api_key = draft.get(&API_KEY, read::secret);
        let phone_number_id = draft.get(&PHONE_NUMBER_ID, |value| {
            let text = read::text(value)?;
            NumberId::new(&text).map_err(|invalid| {
                let remedy =
                    "copy the phone number id from Kapso: digits, and not the phone number";
                Wrong::new(invalid.to_string(), remedy)
            })
        });
        let base_url = draft.get(&BASE_URL, read::key_url);
        let platform_url = draft.get(&PLATFORM_URL, read::key_url);
        Some(Self {
            api_key: api_key?,
            phone_number_id: phone_number_id?,
            base_url: base_url?,
            platform_url: platform_url?,
        })
    }

    pub(crate) fn show(&self, shown: &mut Shown) {
        shown.secret(&API_KEY, Some(&self.api_key));
        shown.text(&PHONE_NUMBER_ID, self.phone_number_id.as_str());
        shown.text(&BASE_URL, self.base_url.as_str());
        shown.text(&PLATFORM_URL, self.platform_url.as_str());
    }
}
