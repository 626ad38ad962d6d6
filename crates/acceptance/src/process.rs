//! A child process with everything that it starts: one process group, ended as a whole.
//!
//! A group outlives neither its [`Group`] nor the harness: dropping kills it, and should the harness itself be killed,
//! the leash (a shell that waits on a pipe from us) does it instead.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow};
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Kills group `$1` once the pipe from the harness is closed.
const LEASH: &str = r#"read -r _; kill -s KILL -- "-$1""#;

/// A running process group and the log that it writes.
#[derive(Debug)]
pub struct Group {
    name: &'static str,
    leader: Child,
    id: Pid,
    log: PathBuf,
    /// Kills the group when we cannot.
    leash: Child,
}

impl Group {
    /// Starts `command` as the leader of a new group; what it prints is appended to `log`.
    ///
    /// # Errors
    /// When the program or the leash cannot be started, or the log cannot be opened.
    pub fn start(name: &'static str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let out = appended(log)?;
        let err = out
            .try_clone()
            .with_context(|| format!("no second handle of {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .kill_on_drop(true);
        let leader = command
            .spawn()
            .with_context(|| format!("the {name} cannot be started"))?;
        let id = id(&leader).with_context(|| format!("the {name} ended at once"))?;
        let leash = Command::new("sh")
            .args(["-c", LEASH, "leash", &id.as_raw_nonzero().to_string()])
            .stdin(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("no shell for the leash");
        let leash = leash.inspect_err(|_| kill(id))?;
        Ok(Self {
            name,
            leader,
            id,
            log: log.to_owned(),
            leash,
        })
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The number of its leader.
    pub fn pid(&self) -> u32 {
        self.id.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits until the leader ends by itself, and says how.
    ///
    /// # Errors
    /// When it goes on for longer.
    pub async fn ended(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let ended = timeout(within, self.leader.wait()).await;
        let name = self.name;
        Ok(ended.map_err(|_elapsed| anyhow!("the {name} still runs after {within:?}"))??)
    }

    /// Sends a signal to every process of the group.
    ///
    /// # Errors
    /// When the group is gone.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        kill_process_group(self.id, signal).with_context(|| format!("the {} is gone", self.name))
    }

    /// An error when the leader has ended by itself.
    ///
    /// # Errors
    /// With the exit status.
    pub fn running(&mut self) -> anyhow::Result<()> {
        match self.leader.try_wait()? {
            None => Ok(()),
            Some(status) => Err(anyhow!("the {} ended by itself: {status}", self.name)),
        }
    }

    /// Asks the group to end, and kills what is left of it when its leader ended.
    ///
    /// # Errors
    /// When the leader is still there after `within` (then everything is killed), or ended with an error.
    pub async fn terminate(mut self, within: Duration) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let ended = timeout(within, self.leader.wait()).await;
        let status = ended.map_err(|_elapsed| {
            anyhow!("the {} was still there {within:?} after SIGTERM", self.name)
        })??;
        if status.success() {
            Ok(())
        } else {
            Err(anyhow!("the {} ended on SIGTERM with {status}", self.name))
        }
    }

    /// Kills the group and waits until its leader is gone.
    ///
    /// # Errors
    /// When it was gone already.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.signal(Signal::KILL)?;
        self.leader
            .wait()
            .await
            .with_context(|| format!("the {} cannot be awaited", self.name))?;
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        kill(self.id);
        // An error would mean that the leash has done its work already.
        let _ = self.leash.start_kill();
    }
}

fn id(child: &Child) -> Option<Pid> {
    let raw = i32::try_from(child.id()?).ok()?;
    Pid::from_raw(raw)
}

/// Kills a group; one that is gone is as good.
fn kill(group: Pid) {
    let _ = kill_process_group(group, Signal::KILL);
}

fn appended(log: &Path) -> anyhow::Result<File> {
    let opened = OpenOptions::new().create(true).append(true).open(log);
    opened.with_context(|| format!("{} cannot be written", log.display()))
}

/// The last `lines` lines of a log.
///
/// # Errors
/// When it cannot be read.
pub fn tail(log: &Path, lines: usize) -> anyhow::Result<String> {
    let bytes = std::fs::read(log).with_context(|| format!("{} cannot be read", log.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    Ok(all[all.len().saturating_sub(lines)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// The longest that the end of a group is awaited.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A group of two processes that both hold a connection to us: it ends when the last of them does.
    async fn group(folder: &Path) -> (Group, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut command = Command::new("bash");
        let script =
            format!("exec 3<>/dev/tcp/127.0.0.1/{port}; sleep 1000 & echo started; sleep 1000");
        command.args(["-c", &script]);
        let group = Group::start("shell", command, &folder.join("log")).unwrap();
        let (held, _) = listener.accept().await.unwrap();
        (group, held)
    }

    /// Waits until nobody holds the connection any more.
    async fn ended(held: &mut TcpStream) {
        let read = timeout(PATIENCE, held.read(&mut [0; 1])).await;
        assert_eq!(read.unwrap().unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn a_dropped_group_ends_with_everything_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let (mut group, mut held) = group(folder.path()).await;
        group.running().unwrap();
        drop(group);
        ended(&mut held).await;
    }

    #[tokio::test]
    async fn a_group_ends_when_the_harness_lets_go_of_the_leash() {
        let folder = tempfile::tempdir().unwrap();
        let (mut group, mut held) = group(folder.path()).await;
        // What the system does with our end of the pipe when we are killed.
        drop(group.leash.stdin.take());
        ended(&mut held).await;
        group.leader.wait().await.unwrap();
    }

    #[tokio::test]
    async fn a_program_that_fails_on_sigterm_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let (group, _held) = group(folder.path()).await;
        let failure = group.terminate(PATIENCE).await.unwrap_err();
        assert!(failure.to_string().contains("SIGTERM"), "{failure}");
    }
}
