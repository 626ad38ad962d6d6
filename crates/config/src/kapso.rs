//! `[kapso]`: the account and the number at Kapso.

use model::NumberId;
use secrecy::SecretString;
use url::Url;

use crate::draft::Draft;
use crate::key::{Key, Preset};
use crate::numbers;
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
    "the business number, by Meta's id of it (not the number itself); not needed beside `[[numbers]]`",
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
    /// The business number, and without one here the first of `[[numbers]]`: the one that is meant where none is named.
    pub phone_number_id: NumberId,
    /// Where messages are listed and sent.
    pub base_url: Url,
    /// Where webhooks are managed.
    pub platform_url: Url,
}

impl Kapso {
    /// `listed` is the first of `[[numbers]]`.
    pub(crate) fn check(draft: &mut Draft<'_>, listed: Option<&NumberId>) -> Option<Self> {
        let api_key = draft.get(&API_KEY, read::secret);
        let raw = draft.raw();
        let not_needed =
            raw.top.get(&PHONE_NUMBER_ID).is_none() && !raw.items(numbers::SECTION).is_empty();
        let phone_number_id = if not_needed {
            listed.cloned()
        } else {
            draft.get(&PHONE_NUMBER_ID, read::number_id)
        };
        let base_url = draft.get(&BASE_URL, read::key_url);
        let platform_url = draft.get(&PLATFORM_URL, read::key_url);
        Some(Self {
            api_key: api_key?,
            phone_number_id: phone_number_id?,
            base_url: base_url?,
            platform_url: platform_url?,
        })
    }

    /// `own` is whether the number stands here.
    pub(crate) fn show(&self, shown: &mut Shown, own: bool) {
        shown.secret(&API_KEY, Some(&self.api_key));
        shown.maybe(&PHONE_NUMBER_ID, own.then_some(&self.phone_number_id));
        shown.text(&BASE_URL, self.base_url.as_str());
        shown.text(&PLATFORM_URL, self.platform_url.as_str());
    }
}
