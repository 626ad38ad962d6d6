//! What each provider wants to be sent, and where in its answer the words are.

use std::fmt;

use reqwest::header::CONTENT_TYPE;
use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use crate::{Error, Options};

/// Who turns speech into text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// OpenAI's `/v1/audio/transcriptions`.
    OpenAi,
    /// Groq's, which speaks as OpenAI's.
    Groq,
    /// Deepgram's `/v1/listen`.
    Deepgram,
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenAi => "openai",
            Self::Groq => "groq",
            Self::Deepgram => "deepgram",
        })
    }
}

/// What OpenAI and Groq answer; the segments only where they are asked for.
#[derive(Debug, Deserialize)]
struct Transcription {
    text: String,
    #[serde(default)]
    segments: Vec<Segment>,
}

#[derive(Debug, Deserialize)]
struct Segment {
    #[serde(default)]
    no_speech_prob: f64,
}

/// What Deepgram answers.
#[derive(Debug, Deserialize)]
struct Listened {
    results: Results,
}

#[derive(Debug, Deserialize)]
struct Results {
    channels: Vec<Channel>,
}

#[derive(Debug, Deserialize)]
struct Channel {
    alternatives: Vec<Alternative>,
}

#[derive(Debug, Deserialize)]
struct Alternative {
    transcript: String,
}

impl Provider {
    fn base(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Groq => "https://api.groq.com/openai/v1",
            Self::Deepgram => "https://api.deepgram.com/v1",
        }
    }

    fn model(self) -> &'static str {
        match self {
            Self::OpenAi => "whisper-1",
            Self::Groq => "whisper-large-v3",
            Self::Deepgram => "nova-3",
        }
    }

    pub(crate) fn request(
        self,
        http: &Client,
        options: &Options,
        sound: &[u8],
        mime: &str,
    ) -> RequestBuilder {
        let own = options
            .base_url
            .as_ref()
            .map(|url| url.as_str().trim_end_matches('/'));
        let base = own.unwrap_or(self.base());
        let model = options.model.as_deref().unwrap_or(self.model());
        let key = options.api_key.expose_secret();
        let language = options.language.as_deref();
        match self {
            Self::OpenAi | Self::Groq => http
                .post(format!("{base}/audio/transcriptions"))
                .bearer_auth(key)
                .multipart(form(model, language, sound, mime)),
            Self::Deepgram => {
                let language = language.map_or(("detect_language", "true"), |l| ("language", l));
                http.post(format!("{base}/listen"))
                    .query(&[("model", model), ("smart_format", "true"), language])
                    .header("Authorization", format!("Token {key}"))
                    .header(CONTENT_TYPE, mime.to_owned())
                    .body(sound.to_vec())
            }
        }
    }

    /// The words of an answer.
    pub(crate) fn words(self, body: &[u8], no_speech_threshold: f64) -> Result<String, Error> {
        let unreadable = |_: serde_json::Error| Error::Unreadable { provider: self };
        let words = match self {
            Self::OpenAi | Self::Groq => {
                let said: Transcription = serde_json::from_slice(body).map_err(unreadable)?;
                let silent = |segment: &Segment| segment.no_speech_prob > no_speech_threshold;
                if !said.segments.is_empty() && said.segments.iter().all(silent) {
                    return Err(Error::NoSpeech);
                }
                said.text
            }
            Self::Deepgram => {
                let heard: Listened = serde_json::from_slice(body).map_err(unreadable)?;
                let channels = heard.results.channels.into_iter();
                let best = channels.filter_map(|channel| channel.alternatives.into_iter().next());
                best.map(|best| best.transcript)
                    .collect::<Vec<_>>()
                    .join("\n")
            }
        };
        match words.trim() {
            "" => Err(Error::NoSpeech),
            words => Ok(words.to_owned()),
        }
    }
}

/// The file needs a name: OpenAI tells the format by its ending.
fn form(model: &str, language: Option<&str>, sound: &[u8], mime: &str) -> Form {
    // Only the whisper family tells how likely it is that nobody spoke.
    let format = if model.contains("whisper") {
        "verbose_json"
    } else {
        "json"
    };
    let bare = mime.split(';').next().unwrap_or_default().trim();
    let ending = match bare {
        "audio/mpeg" => "mp3",
        "audio/mp4" | "audio/m4a" | "audio/x-m4a" => "m4a",
        "audio/wav" | "audio/x-wav" => "wav",
        "audio/webm" => "webm",
        _ => "ogg",
    };
    let file = || Part::bytes(sound.to_vec()).file_name(format!("voice.{ending}"));
    // A type that is none is left out: the name says enough.
    let file = file().mime_str(bare).unwrap_or_else(|_| file());
    let form = Form::new()
        .text("model", model.to_owned())
        .text("response_format", format)
        .part("file", file);
    match language {
        Some(language) => form.text("language", language.to_owned()),
        None => form,
    }
}
