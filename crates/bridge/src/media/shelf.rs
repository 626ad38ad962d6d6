//! The folder in which the files of messages lie, each under the name of its message.
//!
//! A name is made of the message's id and of what the file is, never of what the sender called it. A file gets its name
//! when it is whole, so a file that is there need not be fetched again, after a crash too. Only the bridge's user may
//! read it, unless the operator has made the folder otherwise.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use model::MessageId;
use sha2::{Digest as _, Sha256};
use tokio::fs::{self, File, OpenOptions};
use tokio::io::AsyncReadExt as _;

/// Of the folder, where the bridge makes it.
const DIR_MODE: u32 = 0o700;
/// Of each file.
const FILE_MODE: u32 = 0o600;

/// Bytes of the message's hash in a file's name: none of two messages is ever the same.
const NAME_BYTES: usize = 16;

/// What a file has at its end while it is not whole.
const UNFINISHED: &str = "part";

/// How much of a file's beginning tells what it is.
const HEAD: u64 = 8 * 1024;

/// Where files lie.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The path of a file by its name.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The whole file of `message`, if it is there.
    pub(super) async fn find(&self, message: &MessageId) -> io::Result<Option<PathBuf>> {
        let stem = stem(message);
        let mut entries = match fs::read_dir(&self.dir).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        while let Some(entry) = entries.next_entry().await? {
            let path = entry.path();
            let its = path.file_stem().is_some_and(|name| name == stem.as_str());
            if its && path.extension().is_none_or(|end| end != UNFINISHED) {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// An empty file for `message`, in the place of what an earlier attempt left.
    pub(super) async fn begin(&self, message: &MessageId) -> io::Result<(File, PathBuf)> {
        if !fs::try_exists(&self.dir).await? {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(DIR_MODE).create(&self.dir)?;
        }
        let path = self.path(&format!("{}.{UNFINISHED}", stem(message)));
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE);
        let file = options.open(&path).await?;
        file.set_permissions(Permissions::from_mode(FILE_MODE))
            .await?;
        Ok((file, path))
    }

    /// Gives a whole file its name, with the ending of its type.
    pub(super) async fn keep(&self, file: File, path: &Path, mime: &str) -> io::Result<PathBuf> {
        file.sync_all().await?;
        let named = path.with_extension(ending(mime));
        fs::rename(path, &named).await?;
        Ok(named)
    }

    /// Drops what was left unfinished.
    pub(super) async fn drop(&self, path: &Path) {
        if let Err(error) = fs::remove_file(path).await {
            tracing::debug!(%error, "an unfinished file stays until the clean-up");
        }
    }

    /// Drops the files that are older than `keep`; how many.
    pub(crate) async fn clean(&self, keep: Duration) -> io::Result<usize> {
        let mut entries = match fs::read_dir(&self.dir).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut dropped = 0;
        while let Some(entry) = entries.next_entry().await? {
            let about = entry.metadata().await?;
            let age = SystemTime::now().duration_since(about.modified()?);
            // The operator may have put the folder where other things lie.
            let ours = is_ours(&entry.path()) && about.is_file();
            if ours && age.is_ok_and(|age| age > keep) {
                fs::remove_file(entry.path()).await?;
                dropped += 1;
            }
        }
        Ok(dropped)
    }
}

/// The beginning of a file.
pub(super) async fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let file = File::open(path).await?;
    file.take(HEAD).read_to_end(&mut head).await?;
    Ok(head)
}

fn stem(message: &MessageId) -> String {
    let hash = Sha256::digest(message.as_str().as_bytes());
    hash[..NAME_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn is_ours(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.is_some_and(|stem| {
        stem.len() == 2 * NAME_BYTES && stem.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// The ending of a type's files; `bin` for what is not known, so that nothing is ever opened by a name of the sender's.
fn ending(mime: &str) -> &'static str {
    match mime {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/webp" => "webp",
        "image/gif" => "gif",
        "image/heic" | "image/heif" => "heic",
        "video/mp4" => "mp4",
        "video/3gpp" => "3gp",
        "audio/ogg" | "application/ogg" => "ogg",
        "audio/mpeg" => "mp3",
        "audio/mp4" | "audio/m4a" | "audio/x-m4a" => "m4a",
        "audio/aac" => "aac",
        "audio/amr" => "amr",
        "audio/wav" | "audio/x-wav" => "wav",
        "application/pdf" => "pdf",
        "application/zip" => "zip",
        "application/json" => "json",
        "application/msword" => "doc",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.ms-powerpoint" => "ppt",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation" => "pptx",
        "text/csv" => "csv",
        "text/markdown" => "md",
        "text/plain" => "txt",
        _ => "bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_old_files_of_the_bridge_are_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(dir.path().to_owned());
        let old = dir.path().join("00112233445566778899aabbccddeeff.jpg");
        let others = dir.path().join("holiday.jpg");
        let fresh = dir.path().join("ffffffffffffffffffffffffffffffff.part");
        for path in [&old, &others, &fresh] {
            std::fs::write(path, "x").unwrap();
        }
        let long_ago = SystemTime::now() - Duration::from_secs(100);
        for path in [&old, &others] {
            let file = std::fs::File::options().write(true).open(path).unwrap();
            file.set_modified(long_ago).unwrap();
        }
        assert_eq!(shelf.clean(Duration::from_secs(50)).await.unwrap(), 1);
        assert!(!old.exists() && others.exists() && fresh.exists());
    }

    #[tokio::test]
    async fn a_file_is_found_when_it_is_whole_and_is_nobody_elses_to_read() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(dir.path().join("media"));
        let id = MessageId::new("wamid.1").unwrap();
        assert_eq!(shelf.find(&id).await.unwrap(), None);
        let (file, path) = shelf.begin(&id).await.unwrap();
        assert_eq!(shelf.find(&id).await.unwrap(), None);
        let path = shelf.keep(file, &path, "image/png").await.unwrap();
        assert_eq!(shelf.find(&id).await.unwrap(), Some(path.clone()));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }
}
