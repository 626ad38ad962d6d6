//! Stage 3½: the files of a turn are fetched before it is asked, so that the agent has them and not an address.
//!
//! Pictures are handed over as pictures, within the gateway's limits; short text is handed over as text; everything else
//! lies in the media folder and is named by its path. A file that cannot be fetched is recorded as missing and the turn
//! goes on. A chat waits for its own files only. Nothing of a stranger's is fetched: the guard comes first.

mod shelf;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use gateway::{Gateway, Status};
use kapso::media::{Downloaded, Downloads, MediaError};
use model::{Content, Media, MediaKind, NumberId, Picture};
use store::StoredMessage;
use tokio::fs;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{debug, warn};

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

/// The longest text that is handed over as words, in bytes.
const WORDS_MOST: u64 = 64 * 1024;

/// The largest picture that a gateway takes which does not say (openclaw.md 3.5).
const PICTURE_MOST: u64 = 6_291_456;

/// All pictures of one question together, in bytes. As base64 they are well within a frame of 25 MiB.
const PICTURES_MOST: u64 = 12 << 20;

/// How many pictures one question has at most; more lie in the folder.
const PICTURES_COUNT: usize = 16;

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
}

/// Fetches files.
#[derive(Debug)]
pub(crate) struct Fetcher {
    numbers: Numbers,
    downloads: Downloads,
    shelf: Shelf,
    again_after: Duration,
    places: Arc<Semaphore>,
}

impl Fetcher {
    pub(crate) fn new(numbers: Numbers, downloads: Downloads, folder: &MediaFolder) -> Self {
        Self {
            numbers,
            downloads,
            shelf: Shelf::new(folder.dir.clone()),
            again_after: folder.again_after,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Fetches the files of `messages`, which are admitted, and shares them out. Cancel-safe: what was fetched is there
    /// the next time.
    pub(crate) async fn fetch(&self, messages: &[&StoredMessage], gateway: &Gateway) -> Files {
        let wanted = messages.iter().filter_map(|message| {
            let Content::Media(media) = &message.inbound.content else {
                return None;
            };
            // What was said is known already.
            media.transcript.is_none().then_some((*message, media))
        });
        let fetched: Vec<_> = stream::iter(wanted)
            .map(|(message, media)| async move { (message, media, self.one(message, media).await) })
            .buffered(AT_ONCE_OF_TURN)
            .collect()
            .await;
        let (mut files, mut room) = (Files::default(), Room::at(gateway));
        for (message, media, ended) in fetched {
            let shared = match ended {
                Ok(saved) => room.share(media, saved, &mut files.pictures).await,
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

    async fn one(&self, message: &StoredMessage, media: &Media) -> Result<Saved, Missing> {
        let id = &message.inbound.id;
        if let Some(path) = self.shelf.find(id).await? {
            debug!(wamid = %id, "the file is there already");
            let head = shelf::head(&path).await?;
            let bytes = fs::metadata(&path).await?.len();
            let file = Downloaded::new(bytes, media.mime.as_deref(), &head);
            return Ok(Saved { path, file });
        }
        // The semaphore lives as long as this does, and nobody closes it.
        let _place = self.places.acquire().await;
        let mut wait = self.again_after;
        for _ in 1..ATTEMPTS {
            match self.attempt(message, media, &message.inbound.number).await {
                Err(Missing::NotFetched(error)) if error.may_pass() => {
                    debug!(wamid = %id, %error, "a file is asked for again");
                }
                ended @ (Ok(_) | Err(_)) => return ended,
            }
            sleep(wait).await;
            wait *= 2;
        }
        self.attempt(message, media, &message.inbound.number).await
    }

    async fn attempt(
        &self,
        message: &StoredMessage,
        media: &Media,
        number: &NumberId,
    ) -> Result<Saved, Missing> {
        let kapso = self.numbers.of(number).ok_or(Missing::NoNumber)?;
        let (mut file, path) = self.shelf.begin(&message.inbound.id).await?;
        match kapso.media(media, &self.downloads, &mut file).await {
            Ok(fetched) => Ok(Saved {
                path: self.shelf.keep(file, &path, fetched.mime()).await?,
                file: fetched,
            }),
            Err(error) => {
                self.shelf.drop(&path).await;
                Err(error.into())
            }
        }
    }
}

/// What still fits into the question.
#[derive(Debug)]
struct Room {
    picture: u64,
    all: u64,
}

impl Room {
    /// What the gateway takes; the recorded limits where it cannot be asked now.
    fn at(gateway: &Gateway) -> Self {
        let status = gateway.status();
        let hello = match &*status.borrow() {
            Status::Connected(hello) => Some(Arc::clone(hello)),
            Status::Connecting { .. } | Status::Refused { .. } | Status::Closed => None,
        };
        let Some(hello) = hello else {
            return Self {
                picture: PICTURE_MOST,
                all: PICTURES_MOST,
            };
        };
        let limits = hello.attachments;
        let most = limits.map_or(PICTURE_MOST, |limits| {
            limits.max_image_bytes.min(limits.max_bytes)
        });
        let frame = u64::try_from(hello.max_payload).unwrap_or(u64::MAX);
        Self {
            picture: if hello.takes_pictures() { most } else { 0 },
            all: PICTURES_MOST.min(frame / 2),
        }
    }

    /// How a file is handed over.
    async fn share(
        &mut self,
        media: &Media,
        saved: Saved,
        pictures: &mut Vec<Picture>,
    ) -> Result<Given, Missing> {
        let Saved { path, file } = saved;
        let fits = file.bytes <= self.picture.min(self.all) && pictures.len() < PICTURES_COUNT;
        let name = path.file_name().and_then(|name| name.to_str());
        if let (Some(mime), Some(name), true) = (picture(media.kind, &file), name, fits) {
            self.all -= file.bytes;
            pictures.push(Picture {
                file: name.to_owned(),
                mime: mime.to_owned(),
            });
            return Ok(Given::Shown);
        }
        if let Some(words) = words(&path, media, &file).await? {
            return Ok(Given::Words(words));
        }
        let really = file.is_disguised().then(|| file.mime().to_owned());
        Ok(Given::Saved { path, really })
    }
}

/// The type of a picture that models see, if the file is one.
fn picture(kind: MediaKind, file: &Downloaded) -> Option<&'static str> {
    match kind {
        MediaKind::Image | MediaKind::Sticker => file.sniffed.filter(|mime| {
            matches!(
                *mime,
                "image/jpeg" | "image/png" | "image/webp" | "image/gif"
            )
        }),
        MediaKind::Video | MediaKind::Audio | MediaKind::Voice | MediaKind::Document => None,
    }
}

/// The words of a short text document: one by its type or its name, and by its bytes.
async fn words(path: &Path, media: &Media, file: &Downloaded) -> io::Result<Option<String>> {
    let is_text = media.kind == MediaKind::Document
        && file.sniffed.is_none()
        && file.bytes <= WORDS_MOST
        && is_text(file.declared.as_deref(), media.filename.as_deref());
    if !is_text {
        return Ok(None);
    }
    let text = String::from_utf8(fs::read(path).await?).ok();
    Ok(text.filter(|text| !text.contains('\0')))
}

fn is_text(mime: Option<&str>, name: Option<&str>) -> bool {
    let by_type = matches!(
        mime,
        Some(
            "text/plain"
                | "text/csv"
                | "text/markdown"
                | "application/json"
                | "text/comma-separated-values"
        )
    );
    let ending = name.and_then(|name| name.rsplit_once('.'));
    let by_name = ending.is_some_and(|(_, ending)| {
        ["txt", "csv", "json", "md"]
            .iter()
            .any(|text| ending.eq_ignore_ascii_case(text))
    });
    by_type || by_name
}
