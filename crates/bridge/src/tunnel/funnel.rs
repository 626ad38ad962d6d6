//! One life of `tailscale funnel`, in the foreground: until it ends, or until the bridge does.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Child;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::status::excerpt;
use super::{Tailscale, Trouble, not_started};

/// What the program writes when Funnel stands.
const STANDS: &[u8] = b"Available on the internet";

/// The last bytes of what it wrote that are kept.
const KEPT: usize = 2048;

/// For what is still in the pipes when it has ended.
const REST: Duration = Duration::from_millis(500);

/// Ends a group of processes when it is dropped: what the program started ends with it.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It may have ended by itself.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// One of the program's streams, and the end of what came from it.
struct Stream<R> {
    pipe: Option<R>,
    tail: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Stream<R> {
    fn new(pipe: Option<R>) -> Self {
        Self {
            pipe,
            tail: Vec::new(),
        }
    }

    /// Reads some more. Never ends once the stream has.
    async fn more(&mut self) {
        let Some(pipe) = &mut self.pipe else {
            return std::future::pending().await;
        };
        let mut bytes = [0; 1024];
        match pipe.read(&mut bytes).await {
            Ok(0) | Err(_) => self.pipe = None,
            Ok(read) => {
                self.tail.extend_from_slice(&bytes[..read]);
                let over = self.tail.len().saturating_sub(KEPT);
                self.tail.drain(..over);
            }
        }
    }

    async fn rest(&mut self) {
        while self.pipe.is_some() {
            self.more().await;
        }
    }

    fn stands(&self) -> bool {
        self.tail.windows(STANDS.len()).any(|part| part == STANDS)
    }
}

impl Tailscale {
    /// Runs Funnel and calls `up` when it stands; `Ok` is that `stop` ended it.
    pub(super) async fn funnel(
        &self,
        stop: &CancellationToken,
        up: impl FnOnce(),
    ) -> Result<(), Trouble> {
        let mut command = self.command();
        let mut child = command
            .args(["funnel", &self.target])
            .process_group(0)
            .spawn()
            .map_err(not_started)?;
        let group = Group::of(&child);
        let mut out = Stream::new(child.stdout.take());
        let mut err = Stream::new(child.stderr.take());
        let mut up = Some(up);
        let late = sleep(self.timing.stand);
        tokio::pin!(late);
        loop {
            tokio::select! {
                () = stop.cancelled() => {
                    group.signal(Signal::TERM);
                    // What does not end by then is killed with its group.
                    let _ = timeout(self.timing.leave, child.wait()).await;
                    return Ok(());
                }
                () = out.more() => {
                    if out.stands() && let Some(up) = up.take() {
                        up();
                    }
                }
                () = err.more() => {}
                ended = child.wait() => {
                    ended?;
                    let rest = async { tokio::join!(out.rest(), err.rest()) };
                    // A process that it left behind may hold them open.
                    let _ = timeout(REST, rest).await;
                    return Err(ended_with(&out.tail, &err.tail));
                }
                () = &mut late, if up.is_some() => {
                    let said = excerpt(&[out.tail, err.tail].concat());
                    return Err(Trouble::Slow { what: "funnel", after: self.timing.stand, said });
                }
            }
        }
    }
}

/// Why it ended, by its last words; those on standard error say more.
fn ended_with(out: &[u8], err: &[u8]) -> Trouble {
    let said = excerpt(if err.trim_ascii().is_empty() {
        out
    } else {
        err
    });
    let has = |words: &str| said.to_ascii_lowercase().contains(words);
    if has("https must be enabled") {
        Trouble::NoHttps
    } else if has("funnel not available") || has("funnel is not enabled") {
        Trouble::NoFunnel
    } else if has("access denied") {
        Trouble::Denied(said)
    } else if has("logged out") || has("needslogin") {
        Trouble::NotLoggedIn(said)
    } else if has("failed to connect to local tailscale") {
        Trouble::NoDaemon(said)
    } else {
        Trouble::Ended(said)
    }
}
