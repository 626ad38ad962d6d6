//! One process per state directory.
//!
//! The lock is the kernel's, on the file `lock`: it ends with its process, however that ends. The pid inside is for
//! the message that a second process gives.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// A held lock; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Lock {
    /// Open as long as the lock is held.
    _file: File,
}

/// Why the lock could not be had.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Another process has it.
    Held { pid: Option<u32>, path: PathBuf },
    /// The file could not be made, locked or written.
    Io(PathBuf, io::Error),
}

impl Lock {
    /// Takes the lock of `dir` or says who has it; never waits.
    pub(crate) fn take(dir: &Path) -> Result<Self, Refused> {
        let path = dir.join("lock");
        let lock = || {
            // Kept as it is until the lock is ours: it names the holder.
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(Err(pid_in(&mut file))),
                Err(errno) => return Err(errno.into()),
            }
            file.set_len(0)?;
            file.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0)?;
            Ok(Ok(Self { _file: file }))
        };
        match lock() {
            Ok(Ok(lock)) => Ok(lock),
            Ok(Err(pid)) => Err(Refused::Held { pid, path }),
            Err(error) => Err(Refused::Io(path, error)),
        }
    }
}

/// The pid that the holder wrote; none in the moment between its locking and its writing.
fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
