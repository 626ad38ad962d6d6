//! `[media]`: the files that come with messages.

use std::path::PathBuf;
use std::time::Duration;

use model::HostPattern;

use crate::draft::Draft;
use crate::key::{Key, Preset};
use crate::problem::Wrong;
use crate::raw::Value;
use crate::read;
use crate::show::Shown;

pub(crate) static DIR: Key = Key::new(
    "media.dir",
    &["KAPSO_MEDIA_DIR"],
    Preset::Nothing,
    "where files lie that are not shown to the agent but named; `media` in `state.dir`, unless set",
);

pub(crate) static KEEP: Key = Key::new(
    "media.keep",
    &["KAPSO_MEDIA_KEEP"],
    Preset::Text("604800"),
    "seconds; how long each file stays there",
);

pub(crate) static HOSTS: Key = Key::new(
    "media.hosts",
    &["KAPSO_MEDIA_HOSTS"],
    Preset::Text("*.kapso.ai,kapso-ai-prod.*.r2.cloudflarestorage.com"),
    "hosts of files, besides that of `kapso.base_url`; a leading `*` is one label or more, any other one",
);

pub(crate) static IMAGE: Key = Key::new(
    "media.max_bytes.image",
    &["KAPSO_MEDIA_MAX_IMAGE"],
    Preset::Text("16777216"),
    "the largest picture that is fetched, in bytes; 0 fetches none",
);

pub(crate) static VIDEO: Key = Key::new(
    "media.max_bytes.video",
    &["KAPSO_MEDIA_MAX_VIDEO"],
    Preset::Text("67108864"),
    "the largest film",
);

pub(crate) static AUDIO: Key = Key::new(
    "media.max_bytes.audio",
    &["KAPSO_MEDIA_MAX_AUDIO"],
    Preset::Text("16777216"),
    "the largest sound, recorded in the chat or not",
);

pub(crate) static DOCUMENT: Key = Key::new(
    "media.max_bytes.document",
    &["KAPSO_MEDIA_MAX_DOCUMENT"],
    Preset::Text("104857600"),
    "the largest file of another kind",
);

pub(crate) static STICKER: Key = Key::new(
    "media.max_bytes.sticker",
    &["KAPSO_MEDIA_MAX_STICKER"],
    Preset::Text("1048576"),
    "the largest sticker",
);

/// What becomes of files that come with messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Where they lie; none means below the state folder.
    pub dir: Option<PathBuf>,
    /// How long each one stays.
    pub keep: Duration,
    /// From where they are fetched.
    pub hosts: Vec<HostPattern>,
    /// The largest of each kind.
    pub max_bytes: MaxBytes,
}

/// The largest file of each kind, in bytes; 0 fetches none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxBytes {
    /// Pictures.
    pub image: u32,
    /// Films.
    pub video: u32,
    /// Sounds.
    pub audio: u32,
    /// Other files.
    pub document: u32,
    /// Stickers.
    pub sticker: u32,
}

/// The largest file that can be asked for: WhatsApp passes on no more than a tenth of it.
const LARGEST: u32 = 1 << 30;

impl MaxBytes {
    fn check(draft: &mut Draft<'_>) -> Option<Self> {
        let [image, video, audio, document, sticker] =
            [&IMAGE, &VIDEO, &AUDIO, &DOCUMENT, &STICKER]
                .map(|key| draft.get(key, read::whole(0..=LARGEST)));
        Some(Self {
            image: image?,
            video: video?,
            audio: audio?,
            document: document?,
            sticker: sticker?,
        })
    }

    fn show(self, shown: &mut Shown) {
        shown.whole(&IMAGE, self.image);
        shown.whole(&VIDEO, self.video);
        shown.whole(&AUDIO, self.audio);
        shown.whole(&DOCUMENT, self.document);
        shown.whole(&STICKER, self.sticker);
    }
}

impl Media {
    pub(crate) fn check(draft: &mut Draft<'_>) -> Option<Self> {
        let environment = draft.environment();
        let dir = draft.get(&DIR, read::path(environment));
        let keep = draft.get(&KEEP, read::seconds(3600..=31_536_000));
        let hosts = draft.get(&HOSTS, hosts);
        let max_bytes = MaxBytes::check(draft);
        Some(Self {
            dir,
            keep: keep?,
            hosts: hosts?,
            max_bytes: max_bytes?,
        })
    }

    pub(crate) fn show(&self, shown: &mut Shown) {
        if let Some(dir) = &self.dir {
            shown.path(&DIR, dir);
        }
        shown.seconds(&KEEP, self.keep);
        shown.list(&HOSTS, &self.hosts);
        self.max_bytes.show(shown);
    }
}

/// A list of hosts, or a text with commas between them.
fn hosts(value: &Value) -> Result<Vec<HostPattern>, Wrong> {
    let texts = match value {
        Value::List(entries) => entries
            .iter()
            .map(|entry| read::text(&entry.value))
            .collect::<Result<Vec<_>, _>>()?,
        Value::Word(_)
        | Value::Text(_)
        | Value::Integer(_)
        | Value::Flag(_)
        | Value::Decimal(_)
        | Value::Unfit(_)
        | Value::Secret(_) => read::text(value)?.split(',').map(str::to_owned).collect(),
    };
    let host = |text: &String| {
        HostPattern::new(text).map_err(|invalid| {
            let what = format!("has {}, which {invalid}", read::quoted(text));
            Wrong::new(
                what,
                "write names such as files.example.com or *.example.com",
            )
        })
    };
    texts.iter().map(host).collect()
}
