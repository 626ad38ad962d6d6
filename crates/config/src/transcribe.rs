//! `[transcribe]`: who turns voice messages into text.

use std::time::Duration;

use secrecy::SecretString;

use crate::draft::Draft;
use crate::key::{Key, Preset};
use crate::problem::Wrong;
use crate::raw::Value;
use crate::read;
use crate::show::Shown;

pub(crate) static PROVIDER: Key = Key::new(
    "transcribe.provider",
    &["KAPSO_TRANSCRIBE_PROVIDER"],
    Preset::Nothing,
    "who turns voice into text where Kapso has not: `openai`, `groq` or `deepgram`; without one it is a file",
);

pub(crate) static API_KEY: Key = Key::new(
    "transcribe.api_key",
    &["KAPSO_TRANSCRIBE_API_KEY"],
    Preset::Nothing,
    "the key of the account there",
)
.secret();

pub(crate) static MODEL: Key = Key::new(
    "transcribe.model",
    &["KAPSO_TRANSCRIBE_MODEL"],
    Preset::Nothing,
    "the model; `whisper-1`, `whisper-large-v3` or `nova-3`, unless set",
);

pub(crate) static LANGUAGE: Key = Key::new(
    "transcribe.language",
    &["KAPSO_TRANSCRIBE_LANGUAGE"],
    Preset::Nothing,
    "the language that is spoken, such as `es`; found out, unless set",
);

pub(crate) static MAX_AUDIO_SIZE: Key = Key::new(
    "transcribe.max_audio_size",
    &["KAPSO_TRANSCRIBE_MAX_AUDIO_SIZE"],
    Preset::Text("26214400"),
    "bytes; a larger sound is a file",
);

pub(crate) static TIMEOUT: Key = Key::new(
    "transcribe.timeout",
    &["KAPSO_TRANSCRIBE_TIMEOUT"],
    Preset::Text("60"),
    "seconds for one sound, with all attempts",
);

pub(crate) static NO_SPEECH_THRESHOLD: Key = Key::new(
    "transcribe.no_speech_threshold",
    &["KAPSO_TRANSCRIBE_NO_SPEECH_THRESHOLD"],
    Preset::Text("0.85"),
    "from 0 to 1; a sound that is likelier than this to hold no speech has no words",
);

pub(crate) static CACHE_TTL: Key = Key::new(
    "transcribe.cache_ttl",
    &["KAPSO_TRANSCRIBE_CACHE_TTL"],
    Preset::Text("3600"),
    "seconds for which the words of a sound are remembered",
);

/// Who turns speech into text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TranscribeProvider {
    /// OpenAI.
    OpenAi,
    /// Groq.
    Groq,
    /// Deepgram.
    Deepgram,
}

const PROVIDERS: [(&str, TranscribeProvider); 3] = [
    ("openai", TranscribeProvider::OpenAi),
    ("groq", TranscribeProvider::Groq),
    ("deepgram", TranscribeProvider::Deepgram),
];

/// How voice messages become text.
#[derive(Debug, Clone)]
pub struct Transcribe {
    /// Who does it.
    pub provider: TranscribeProvider,
    /// The key of the account there.
    pub api_key: SecretString,
    /// The model; the usual one, unless set.
    pub model: Option<String>,
    /// The language that is spoken; found out, unless set.
    pub language: Option<String>,
    /// The largest sound, in bytes.
    pub max_audio_size: u32,
    /// For one sound.
    pub timeout: Duration,
    /// How likely it may be that nobody speaks.
    pub no_speech_threshold: f64,
    /// How long words are remembered.
    pub cache_ttl: Duration,
}

impl Transcribe {
    /// None where nobody is to do it.
    pub(crate) fn check(draft: &mut Draft<'_>) -> Option<Self> {
        let provider = draft.get(&PROVIDER, read::choice(&PROVIDERS));
        let api_key = draft.get(&API_KEY, read::secret);
        let model = draft.get(&MODEL, read::line);
        let language = draft.get(&LANGUAGE, read::line);
        let max_audio_size = draft.get(&MAX_AUDIO_SIZE, read::whole(1..=1 << 30));
        let timeout = draft.get(&TIMEOUT, read::seconds(1..=600));
        let no_speech_threshold = draft.get(&NO_SPEECH_THRESHOLD, fraction);
        let cache_ttl = draft.get(&CACHE_TTL, read::seconds(0..=604_800));
        let provider = provider?;
        if api_key.is_none() {
            draft.missing(&API_KEY);
        }
        Some(Self {
            provider,
            api_key: api_key?,
            model,
            language,
            max_audio_size: max_audio_size?,
            timeout: timeout?,
            no_speech_threshold: no_speech_threshold?,
            cache_ttl: cache_ttl?,
        })
    }

    /// What is in effect; of an unset provider nothing is.
    pub(crate) fn show(&self, shown: &mut Shown) {
        let name = PROVIDERS.iter().find(|(_, known)| *known == self.provider);
        shown.maybe(&PROVIDER, name.map(|(name, _)| name));
        shown.secret(&API_KEY, Some(&self.api_key));
        shown.maybe(&MODEL, self.model.as_ref());
        shown.maybe(&LANGUAGE, self.language.as_ref());
        shown.whole(&MAX_AUDIO_SIZE, self.max_audio_size);
        shown.seconds(&TIMEOUT, self.timeout);
        shown.fraction(&NO_SPEECH_THRESHOLD, self.no_speech_threshold);
        shown.seconds(&CACHE_TTL, self.cache_ttl);
    }
}

/// A number from 0 to 1.
fn fraction(value: &Value) -> Result<f64, Wrong> {
    let number = match value {
        Value::Decimal(number) => Some(*number),
        Value::Integer(number) => i32::try_from(*number).ok().map(f64::from),
        Value::Word(word) => word.trim().parse().ok(),
        Value::Text(_) | Value::Flag(_) | Value::List(_) | Value::Unfit(_) | Value::Secret(_) => {
            None
        }
    };
    number
        .filter(|number| (0.0..=1.0).contains(number))
        .ok_or_else(|| {
            Wrong::new(
                read::found(value),
                "write a number from 0 to 1, such as 0.85",
            )
        })
}
