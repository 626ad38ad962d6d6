//! How a file is handed over: as a picture while there is room for one, as words, or by its path.

use std::io;
use std::path::Path;
use std::sync::Arc;

use gateway::{Gateway, Status};
use kapso::media::Downloaded;
use model::{Media, MediaKind, Picture};
use tokio::fs;

use super::{Given, Saved};

/// The longest text that is handed over as words, in bytes.
const WORDS_MOST: u64 = 64 * 1024;

/// The largest picture that a gateway takes which does not say (openclaw.md 3.5).
const PICTURE_MOST: u64 = 6_291_456;

/// All pictures of one question together, in bytes. As base64 they are well within a frame of 25 MiB.
const PICTURES_MOST: u64 = 12 << 20;

/// How many pictures one question has at most; more lie in the folder.
const PICTURES_COUNT: usize = 16;

/// What still fits into the question.
#[derive(Debug)]
pub(super) struct Room {
    picture: u64,
    all: u64,
}

impl Room {
    /// What the gateway takes; the recorded limits where it cannot be asked now.
    pub(super) fn at(gateway: &Gateway) -> Self {
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
    pub(super) async fn share(
        &mut self,
        media: &Media,
        saved: Saved,
        pictures: &mut Vec<Picture>,
    ) -> io::Result<Given> {
        let Saved {
            path,
            file,
            words: heard,
        } = saved;
        if let Some(heard) = heard {
            return Ok(Given::Heard(heard));
        }
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
