//! How a change in the sessions folder wakes those who wait for it.
//!
//! One inotify watch serves all. It tells only that something changed; each waiter looks for itself, which costs a
//! few system calls, and so a lost or doubled event does no harm. While the folder does not exist, the nearest
//! folder above it is watched. Where watching is not possible, waiters look at intervals.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::watch;
use tracing::warn;

use super::folder::FileId;

/// How often a waiter looks without being told, in case the file system keeps changes to itself (NFS).
const UNTOLD: Duration = Duration::from_secs(2);

/// How often a waiter looks where watching is not possible.
const UNWATCHED: Duration = Duration::from_millis(100);

/// Files of the gateway in the same folder that say nothing about a turn.
const NOISE: [&str; 3] = [".trajectory.jsonl", ".trajectory-path.json", ".lock"];

/// The source of wake-ups.
#[derive(Debug)]
pub(super) struct Changes {
    folder: PathBuf,
    told: watch::Sender<u64>,
    watch: Mutex<Watch>,
}

#[derive(Debug)]
enum Watch {
    /// Not yet asked for.
    Off,
    /// This folder is watched. Dropping the watcher ends it.
    On {
        _watcher: RecommendedWatcher,
        on: PathBuf,
        identity: Option<Identity>,
    },
    /// Watching failed, or is not wanted; waiters look at this interval.
    Polling(Duration),
}

/// Which folder it is. The inode alone would not tell a folder from one that was made in its place.
type Identity = (FileId, Option<SystemTime>);

/// One who waits.
#[derive(Debug)]
pub(super) struct Waiter(watch::Receiver<u64>);

impl Waiter {
    /// From here on, every change ends the next [`Changes::wait`]. To be called before looking.
    pub(super) fn arm(&mut self) {
        self.0.borrow_and_update();
    }
}

impl Changes {
    pub(super) fn watching(folder: PathBuf) -> Self {
        Self {
            folder,
            told: watch::Sender::new(0),
            watch: Mutex::new(Watch::Off),
        }
    }

    pub(super) fn polling(folder: PathBuf, every: Duration) -> Self {
        Self {
            folder,
            told: watch::Sender::new(0),
            watch: Mutex::new(Watch::Polling(every)),
        }
    }

    /// A new waiter. What changes from now on is told to it.
    pub(super) fn waiter(&self) -> Waiter {
        self.watch();
        Waiter(self.told.subscribe())
    }

    /// Waits until something may have changed since the waiter was armed.
    pub(super) async fn wait(&self, waiter: &mut Waiter) {
        let interval = self.watch();
        // The sender is a field of `self`, so that the receiver cannot outlive it.
        tokio::select! {
            _ = waiter.0.changed() => {}
            () = tokio::time::sleep(interval) => {}
        }
    }

    /// Sees to it that the folder, or what there is of its path, is watched. How long to wait untold.
    fn watch(&self) -> Duration {
        // A panic while it was held left a watch that is looked at again below.
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let nearest = nearest(&self.folder);
            let there = identity(&nearest);
            match &*watch {
                Watch::Polling(every) => return *every,
                Watch::On { on, identity, .. } if *on == nearest && *identity == there => {
                    return UNTOLD;
                }
                // A new watcher, because the old one would take the end of the old folder for that of the new.
                Watch::On { .. } | Watch::Off => *watch = self.watched(nearest, there),
            }
            self.told
                .send_modify(|changes| *changes = changes.wrapping_add(1));
        }
    }

    fn watched(&self, folder: PathBuf, identity: Option<Identity>) -> Watch {
        let watcher = notify::recommended_watcher(self.teller()).and_then(|mut watcher| {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        match watcher {
            Ok(watcher) => Watch::On {
                _watcher: watcher,
                on: folder,
                identity,
            },
            // It went away at this moment.
            Err(_) if !folder.is_dir() => Watch::Off,
            Err(error) => {
                warn!(folder = %folder.display(), %error, "cannot watch for changes, looking at intervals");
                Watch::Polling(UNWATCHED)
            }
        }
    }

    fn teller(&self) -> impl FnMut(notify::Result<Event>) + Send + 'static {
        let told = self.told.clone();
        move |event| {
            if event.is_ok_and(|event| !is_change(&event)) {
                return;
            }
            told.send_modify(|changes| *changes = changes.wrapping_add(1));
        }
    }
}

/// Opening and reading are reported too, and the bridge's own would wake it for ever.
fn is_change(event: &Event) -> bool {
    let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
    if matches!(event.kind, EventKind::Access(_)) && event.kind != written {
        return false;
    }
    let noise = |path: &PathBuf| {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        NOISE.iter().any(|end| name.ends_with(end))
    };
    event.paths.is_empty() || !event.paths.iter().all(noise)
}

fn identity(folder: &Path) -> Option<Identity> {
    let metadata = fs::metadata(folder).ok()?;
    Some(((&metadata).into(), metadata.created().ok()))
}

/// `folder`, or the nearest folder above it that exists.
fn nearest(folder: &Path) -> PathBuf {
    let absolute =
        std::path::absolute(folder).unwrap_or_else(|_no_current_folder| folder.to_owned());
    absolute
        .ancestors()
        .find(|path| path.is_dir())
        .unwrap_or(Path::new("/"))
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, name: &str) -> Event {
        Event::new(kind).add_path(PathBuf::from("/sessions").join(name))
    }

    #[test]
    fn reading_and_diagnostics_wake_nobody() {
        use notify::event::{DataChange, ModifyKind};
        let written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert!(is_change(&event(written, "a.jsonl")));
        assert!(is_change(&event(
            EventKind::Access(AccessKind::Close(AccessMode::Write)),
            "a.jsonl"
        )));
        assert!(!is_change(&event(
            EventKind::Access(AccessKind::Open(AccessMode::Any)),
            "a.jsonl"
        )));
        assert!(!is_change(&event(
            EventKind::Access(AccessKind::Close(AccessMode::Read)),
            "a.jsonl"
        )));
        assert!(!is_change(&event(written, "a.trajectory.jsonl")));
        assert!(
            is_change(&Event::new(EventKind::Other)),
            "an overflow is told without a path"
        );
    }

    /// Without the intervals of [`Changes::wait`], which would hide a watch that is dead.
    async fn told(waiter: &Waiter) {
        let mut told = waiter.0.clone();
        let told = tokio::time::timeout(Duration::from_secs(20), told.changed());
        told.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_folder_is_watched_from_before_it_exists() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("agents/main/sessions");
        let changes = Changes::watching(folder.clone());
        let mut waiter = changes.waiter();

        waiter.arm();
        fs::create_dir_all(&folder).unwrap();
        told(&waiter).await;
        assert_eq!(changes.watch(), UNTOLD, "now the folder itself is watched");

        waiter.arm();
        fs::write(folder.join("a.jsonl"), "x").unwrap();
        told(&waiter).await;

        fs::remove_dir_all(&folder).unwrap();
        fs::create_dir_all(&folder).unwrap();
        changes.watch();
        waiter.arm();
        fs::write(folder.join("b.jsonl"), "x").unwrap();
        told(&waiter).await;
    }
}
