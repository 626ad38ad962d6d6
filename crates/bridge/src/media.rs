//! Between guard and turn: the files of a turn are fetched before it is asked, so that the agent has them and not an
//! address.
//!
//! Pictures are handed over as pictures, within the gateway's limits; short text and what is said in a sound are handed
//! over as text; everything else lies in the media folder and is named by its path. A file that cannot be fetched is
//! recorded as missing and the turn goes on. A chat waits for its own files only. Nothing of a stranger's is fetched: the
//! guard comes first.

mod room;
mod shelf;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use gateway::Gateway;
use kapso::media::{Downloaded, Downloads, MediaError};
use model::{Content, Media, MediaKind, Picture};
use store::StoredMessage;
use tokio::fs;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{debug, warn};
use transcribe::Transcriber;

use self::room::Room;
pub(crate) use self::shelf::Shelf;
use crate::numbers::Numbers;

/// Where the files of messages are kept, and for how long.
#[derive(Debug, Clone)]
pub struct MediaFolder {
    /// The folder. It is made when it is needed.
    pub dir: PathBuf,
    /// How long each file stays.
    pub keep: Duration,
    /// The wait before a file is asked for again; it doubles.
    pub again_after: Duration,
}

impl MediaFolder {
    /// A folder with the usual times: seven days, as long as WhatsApp keeps a file (kapso.md 2.13).
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            keep: Duration::from_secs(7 * 24 * 3600),
            again_after: Duration::from_secs(1),
        }
    }
}

/// Files that are fetched at once, of all chats together. Further ones wait; their messages are rows.
const AT_ONCE: usize = 8;

/// Files of one turn that are fetched at once, so that one chat's album does not take every place.
const AT_ONCE_OF_TURN: usize = 3;

/// How often a file is asked for before it is missing.
const ATTEMPTS: u32 = 3;

/// What the agent is given of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Given {
    /// The picture itself.
    Shown,
    /// Its words.
    Words(String),
    /// Where it lies; and what it is, where that is not what it is said to be.
    Saved {
        path: PathBuf,
        really: Option<String>,
    },
    /// What is said in it.
    Heard(String),
    /// Nothing.
    Missing,
}

/// What the agent is given of the files of a turn.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// By the message's number in the journal.
    given: HashMap<i64, Given>,
    /// Those that are shown, in order.
    pub(crate) pictures: Vec<Picture>,
    /// What could not be fetched, and why.
    pub(crate) missing: Vec<(i64, String)>,
}

impl Files {
    /// What is given of the file that came with a message; none where there is no file to give.
    pub(crate) fn of(&self, message: i64) -> Option<&Given> {
        self.given.get(&message)
    }
}

/// Why a file is missing.
#[derive(Debug, thiserror::Error)]
enum Missing {
    #[error(transparent)]
    NotFetched(#[from] MediaError),
    #[error("the media folder: {0}")]
    Folder(#[from] io::Error),
    #[error("its number is not configured")]
    NoNumber,
}

/// A file in the folder.
#[derive(Debug)]
struct Saved {
    path: PathBuf,
    file: Downloaded,
    /// What is said in it.
    words: Option<String>,
}

/// Fetches files.
#[derive(Debug)]
pub(crate) struct Fetcher {
    numbers: Numbers,
    downloads: Downloads,
    /// Who turns speech into text, if anybody.
    transcriber: Option<Transcriber>,
    shelf: Shelf,
    again_after: Duration,
    places: Arc<Semaphore>,
}

impl Fetcher {
    pub(crate) fn new(
        numbers: Numbers,
        downloads: Downloads,
        transcriber: Option<Transcriber>,
        folder: &MediaFolder,
    ) -> Self {
        Self {
            numbers,
            downloads,
            transcriber,
            shelf: Shelf::new(folder.dir.clone()),
            again_after: folder.again_after,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Fetches the files of `messages`, which are admitted, and shares them out. Cancel-safe: what was fetched is there
    /// the next time.
    pub(crate) async fn fetch(&self, messages: &[&StoredMessage], gateway: &Gateway) -> Files {
        let mut fetching = Vec::new();
        for message in messages {
            match &message.inbound.content {
                // What was said in a sound with a transcript is known already.
                Content::Media(media) if media.transcript.is_none() => {
                    fetching.push(self.fetched(message, media));
                }
                Content::Media(_)
                | Content::Text { .. }
                | Content::Location(_)
                | Content::Contacts { .. }
                | Content::Choice(_)
                | Content::Order { .. }
                | Content::Reaction { .. }
                | Content::System { .. }
                | Content::Unsupported { .. } => {}
            }
        }
        let fetching = stream::iter(fetching).buffered(AT_ONCE_OF_TURN);
        let fetched: Vec<_> = fetching.collect().await;
        let (mut files, mut room) = (Files::default(), Room::at(gateway));
        for (message, media, ended) in fetched {
            let shared = match ended {
                Ok(saved) => {
                    let given = room.share(media, saved, &mut files.pictures).await;
                    given.map_err(Missing::from)
                }
                Err(missing) => Err(missing),
            };
            let given = shared.unwrap_or_else(|missing| {
                warn!(wamid = %message.inbound.id, kind = media.kind.name(), %missing, "a file could not be fetched");
                files.missing.push((message.id, missing.to_string()));
                Given::Missing
            });
            files.given.insert(message.id, given);
        }
        files
    }

    async fn fetched<'m>(
        &self,
        message: &'m StoredMessage,
        media: &'m Media,
    ) -> (&'m StoredMessage, &'m Media, Result<Saved, Missing>) {
        let mut ended = self.one(message, media).await;
        if let Ok(saved) = &mut ended {
            saved.words = self.hear(message, media, saved).await;
        }
        (message, media, ended)
    }

    /// What is said in a sound. It has to be one by its bytes: what only calls itself one is sent to nobody.
    async fn hear(&self, message: &StoredMessage, media: &Media, saved: &Saved) -> Option<String> {
        let transcriber = self.transcriber.as_ref()?;
        let by_bytes = saved.file.sniffed.filter(|mime| is_sound(mime))?;
        if !matches!(media.kind, MediaKind::Audio | MediaKind::Voice) {
            return None;
        }
        let mime = saved.file.declared.as_deref().unwrap_or(by_bytes);
        let sound = fs::read(&saved.path).await.ok()?;
        match transcriber.words(sound, mime).await {
            Ok(words) => Some(words),
            Err(error) => {
                warn!(wamid = %message.inbound.id, %error, "a voice message stays a file");
                None
            }
        }
    }

    async fn one(&self, message: &StoredMessage, media: &Media) -> Result<Saved, Missing> {
        let id = &message.inbound.id;
        if let Some(path) = self.shelf.find(id).await? {
            debug!(wamid = %id, "the file is there already");
            let head = shelf::head(&path).await?;
            let bytes = fs::metadata(&path).await?.len();
            let file = Downloaded::new(bytes, media.mime.as_deref(), &head);
            return Ok(Saved {
                path,
                file,
                words: None,
            });
        }
        // The semaphore lives as long as this does, and nobody closes it.
        let _place = self.places.acquire().await;
        let mut wait = self.again_after;
        for _ in 1..ATTEMPTS {
            match self.attempt(message, media).await {
                Err(Missing::NotFetched(error)) if error.may_pass() => {
                    debug!(wamid = %id, %error, "a file is asked for again");
                }
                ended @ (Ok(_) | Err(_)) => return ended,
            }
            sleep(wait).await;
            wait *= 2;
        }
        self.attempt(message, media).await
    }

    async fn attempt(&self, message: &StoredMessage, media: &Media) -> Result<Saved, Missing> {
        let kapso = self
            .numbers
            .of(&message.inbound.number)
            .ok_or(Missing::NoNumber)?;
        let (mut file, path) = self.shelf.begin(&message.inbound.id).await?;
        match kapso.media(media, &self.downloads, &mut file).await {
            Ok(fetched) => Ok(Saved {
                path: self.shelf.keep(file, &path, fetched.mime()).await?,
                file: fetched,
                words: None,
            }),
            Err(error) => {
                self.shelf.drop(&path).await;
                Err(error.into())
            }
        }
    }
}

/// Whether a type is that of a sound; in a film's container there may be nothing else.
fn is_sound(mime: &str) -> bool {
    mime.starts_with("audio/") || matches!(mime, "application/ogg" | "video/mp4" | "video/webm")
}
