//! What Kapso adds: the `kapso` object of a message, and the conversation beside it in a webhook.

use serde::Deserialize;
use serde_json::Value;

use super::lenient;
use super::receipt::Status;

/// The `kapso` object of a message (kapso.md 3.3).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Extension {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) direction: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) status: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) origin: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) phone_number_id: Option<String>,
    /// The contact's number, never the business number's.
    #[serde(deserialize_with = "lenient::text")]
    pub(super) phone_number: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) contact_name: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) group_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) media_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) media_url: Option<String>,
    #[serde(deserialize_with = "lenient::object")]
    pub(super) media_data: MediaData,
    #[serde(deserialize_with = "lenient::object")]
    pub(super) message_type_data: TypeData,
    /// What was said in a sound, bare or as an object.
    #[serde(deserialize_with = "lenient::said")]
    pub(super) transcript: Option<String>,
    /// English prose by Kapso for anything but a text.
    #[serde(deserialize_with = "lenient::text")]
    pub(super) content: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) order_text: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) flow_name: Option<String>,
    pub(super) flow_response: Option<Value>,
    /// What WhatsApp told about an outbound message, in the order of time.
    #[serde(deserialize_with = "lenient::list")]
    pub(super) statuses: Vec<Status>,
}

/// The stored file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MediaData {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) url: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) filename: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) content_type: Option<String>,
}

/// The copy of what depends on the type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TypeData {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) caption: Option<String>,
}

/// The conversation that stands beside a message in a webhook (kapso.md 4.4): it names the sender where the message
/// does not.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Conversation {
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) phone_number_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) phone_number: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) business_scoped_user_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) parent_business_scoped_user_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(super) contact_name: Option<String>,
    #[serde(deserialize_with = "lenient::object")]
    pub(super) kapso: ConversationExtension,
}

/// A person in Meta's `contacts[]`, which stands beside the messages there (kapso.md 4.4, 6.1).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Profile {
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) wa_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub(crate) user_id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    parent_user_id: Option<String>,
    #[serde(deserialize_with = "lenient::object")]
    profile: ProfileName,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ProfileName {
    #[serde(deserialize_with = "lenient::text")]
    name: Option<String>,
}

impl From<Profile> for Conversation {
    fn from(person: Profile) -> Self {
        Self {
            phone_number_id: None,
            phone_number: person.wa_id,
            business_scoped_user_id: person.user_id,
            parent_business_scoped_user_id: person.parent_user_id,
            contact_name: person.profile.name,
            kapso: ConversationExtension::default(),
        }
    }
}

/// The `kapso` object of a conversation.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ConversationExtension {
    #[serde(deserialize_with = "lenient::text")]
    pub(super) contact_name: Option<String>,
}
