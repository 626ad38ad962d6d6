//! The folder that holds `sessions.json` and the transcripts.
//!
//! Only files in this very folder are read, whatever path `sessions.json` names: the gateway may live in a container
//! and name a path of its own, and an entry that was tampered with must not make the bridge read something else.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::RefusedFile;

/// What a transcript's name ends with.
const TRANSCRIPT: &str = ".jsonl";

/// Diagnostics with whole prompts, which lie beside the transcripts.
const TRAJECTORY: &str = ".trajectory.jsonl";

/// What the gateway puts after a transcript's name when a session is reset or deleted.
const ARCHIVED: [&str; 2] = [".reset.", ".deleted."];

/// Where the sessions of one agent lie.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    index: PathBuf,
}

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// A file that was found.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) id: FileId,
}

impl Folder {
    /// The folder of `sessions_json`, which need not exist; none when the path names no file.
    pub(super) fn of(sessions_json: &Path) -> Option<Self> {
        let index =
            fs::canonicalize(sessions_json).unwrap_or_else(|_missing| sessions_json.to_owned());
        index.file_name()?;
        let path = match index.parent()? {
            parent if parent.as_os_str().is_empty() => PathBuf::from("."),
            parent => parent.to_owned(),
        };
        Some(Self { path, index })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn index(&self) -> &Path {
        &self.index
    }

    /// The path of the transcript `name`.
    pub(super) fn transcript(&self, name: &str) -> Result<PathBuf, RefusedFile> {
        let plain = Path::new(name).file_name().is_some_and(|file| file == name);
        if !plain
            || name.contains('\0')
            || !name.ends_with(TRANSCRIPT)
            || name.ends_with(TRAJECTORY)
        {
            return Err(RefusedFile::Name);
        }
        Ok(self.path.join(name))
    }

    /// The name, in this folder, of the transcript that `sessions.json` describes.
    ///
    /// `session_file` counts before the session's id. A path elsewhere stands for the file of the same name here,
    /// unless it can be reached: then it is another file, and is refused.
    pub(super) fn name(
        &self,
        session_id: &str,
        session_file: Option<&str>,
    ) -> Result<String, RefusedFile> {
        let Some(written) = session_file.map(str::trim).filter(|file| !file.is_empty()) else {
            let name = format!("{session_id}{TRANSCRIPT}");
            return self.transcript(&name).map(|_path| name);
        };
        let path = self.path.join(written);
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or(RefusedFile::Name)?;
        self.transcript(name)?;
        if path.exists() && !self.holds(&path) {
            return Err(RefusedFile::Outside);
        }
        Ok(name.to_owned())
    }

    fn holds(&self, path: &Path) -> bool {
        let there = path
            .parent()
            .and_then(|parent| fs::canonicalize(parent).ok());
        let here = fs::canonicalize(&self.path).ok();
        there.is_some() && there == here
    }

    /// The archived forms of the transcript `name`.
    pub(super) fn archived(&self, name: &str) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let file = entry.file_name();
            let rest = file.to_str().and_then(|file| file.strip_prefix(name));
            if rest.is_some_and(|rest| ARCHIVED.iter().any(|mark| rest.starts_with(mark))) {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }
}

/// Which regular file `path` names now; none when there is none.
pub(super) fn identify(path: &Path) -> io::Result<Option<FileId>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some((&metadata).into())),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            RefusedFile::NotAFile,
        )),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Opens the regular file `path`; none when there is none, or when it was replaced at this very moment.
pub(super) fn open(path: &Path) -> io::Result<Option<Opened>> {
    let Some(id) = identify(path)? else {
        return Ok(None);
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // A link that took the file's place would show another identity.
    let same = FileId::from(&file.metadata()?) == id;
    Ok(same.then_some(Opened { file, id }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_transcripts_of_this_folder_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::of(&dir.path().join("sessions.json")).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("other.jsonl"), "").unwrap();
        fs::write(dir.path().join("mine.jsonl"), "").unwrap();
        let named = |file: &str| folder.name("sid", Some(file));

        assert_eq!(folder.name("sid", None).unwrap(), "sid.jsonl");
        assert_eq!(named("mine.jsonl").unwrap(), "mine.jsonl");
        assert_eq!(
            named(dir.path().join("mine.jsonl").to_str().unwrap()).unwrap(),
            "mine.jsonl"
        );
        assert_eq!(
            named("/nowhere/in/a/container/mine.jsonl").unwrap(),
            "mine.jsonl"
        );
        let outside = elsewhere.path().join("other.jsonl");
        assert!(matches!(
            named(outside.to_str().unwrap()),
            Err(RefusedFile::Outside)
        ));
        for bad in [
            "/etc/passwd",
            "x.trajectory.jsonl",
            "..",
            "a\0.jsonl",
            "secrets.txt",
            "/",
        ] {
            assert!(matches!(named(bad), Err(RefusedFile::Name)), "{bad}");
        }
        assert!(matches!(folder.name("../x", None), Err(RefusedFile::Name)));
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target.jsonl");
        fs::write(&target, "secret").unwrap();
        let link = dir.path().join("link.jsonl");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(open(&link).is_err());
        assert!(open(&target).unwrap().is_some());
        assert!(open(&dir.path().join("missing.jsonl")).unwrap().is_none());
    }
}
