//! The tunnel, with a scripted `tailscale` that speaks as the real program does. No real one can be had here.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bridge::tunnel::{Tailscale, TunnelTiming};
use bridge::{Health, Tunnel, TunnelState};
use kapso::Url;
use model::Clock;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const RUNNING: &str = r#"echo '{"BackendState":"Running",
    "Self":{"DNSName":"box.tail1234.ts.net.","CapMap":{"funnel":null,"https":null}}}'"#;

const STANDS: &str = r#"printf 'Available on the internet:\n\nhttps://box.tail1234.ts.net/\n'"#;

/// Until someone writes to the pipe, or ends the script.
const STAYS: &str =
    r#"[ -p "$dir/end" ] || mkfifo "$dir/end"; echo $$ > "$dir/pid"; read -r _ < "$dir/end""#;

/// More than any end takes; what takes it does not end.
const PLENTY: Duration = Duration::from_secs(60);

const HOUR: Duration = Duration::from_secs(3600);

/// A supervisor with a program that answers `status` and `funnel` with these lines of shell.
struct Host {
    dir: TempDir,
    health: Health,
    address: watch::Receiver<Option<Url>>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Host {
    fn start(status: &str, funnel: &str) -> Self {
        Self::patient(status, funnel, TunnelTiming::default().stand)
    }

    fn patient(status: &str, funnel: &str, stand: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("tailscale");
        let script = format!(
            "#!/bin/sh\ndir={}\necho \"$*\" >> \"$dir/asked\"\necho 'Warning: a newer version is out' >&2\n\
             case \"$1\" in\nstatus) {status} ;;\nfunnel) {funnel} ;;\nesac\n",
            dir.path().display()
        );
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        Self::of(dir, program, stand)
    }

    fn of(dir: TempDir, program: PathBuf, stand: Duration) -> Self {
        let (health, stop) = (Health::default(), CancellationToken::new());
        let (told, address) = watch::channel(None);
        let tailscale = Tailscale {
            program,
            target: "18790".to_owned(),
            health: health.clone(),
            clock: Clock::system(),
            timing: TunnelTiming {
                status: HOUR,
                stand,
                retry: Duration::from_millis(1),
                longest: Duration::from_millis(20),
                leave: HOUR,
                steady: HOUR,
            },
        };
        let running = tokio::spawn(tailscale.run(told, stop.clone()));
        Self {
            dir,
            health,
            address,
            stop,
            running,
        }
    }

    /// Waits until the tunnel is as `look` wants it.
    async fn until(&self, look: impl Fn(&Tunnel) -> bool) -> Tunnel {
        let mut changes = self.health.watch();
        let seen = changes.wait_for(|seen| seen.tunnel.as_ref().is_some_and(&look));
        seen.await.unwrap().tunnel.clone().unwrap()
    }

    /// The trouble that is told first.
    async fn trouble(&self) -> (String, String) {
        let down = self.until(|tunnel| tunnel.state == TunnelState::Down).await;
        (down.error.unwrap(), down.remedy.unwrap())
    }

    async fn end(self) -> TempDir {
        self.stop.cancel();
        self.running.await.unwrap();
        self.dir
    }
}

fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap()
}

#[tokio::test]
async fn k9_a_warning_on_standard_error_is_no_answer_and_the_tunnel_stands() {
    let mut host = Host::start(RUNNING, &format!("{STANDS}; {STAYS}"));
    let up = host.until(|tunnel| tunnel.state == TunnelState::Up).await;
    assert_eq!(up.url.as_deref(), Some("https://box.tail1234.ts.net/"));
    let told = host
        .address
        .wait_for(Option::is_some)
        .await
        .unwrap()
        .clone();
    assert_eq!(told.unwrap().as_str(), "https://box.tail1234.ts.net/");
    let dir = host.end().await;
    assert_eq!(
        read(dir.path(), "asked"),
        "status --json --peers=false\nfunnel 18790\n"
    );
}

#[tokio::test]
async fn k9_a_daemon_that_is_not_up_yet_is_asked_again_until_it_is() {
    let status = format!(
        r#"if [ "$(grep -c status "$dir/asked")" -lt 4 ]; then
            echo 'failed to connect to local tailscaled; is it running?' >&2; exit 1
        else {RUNNING}; fi"#
    );
    let host = Host::start(&status, &format!("{STANDS}; {STAYS}"));
    let up = host.until(|tunnel| tunnel.state == TunnelState::Up).await;
    assert_eq!(up.starts, 4);
    host.end().await;
}

#[tokio::test]
async fn k9_a_program_that_hangs_does_not_hold_the_stop_up() {
    let host = Host::start(STAYS, "true");
    host.until(|tunnel| tunnel.state == TunnelState::Starting)
        .await;
    host.end().await;
}

#[tokio::test]
async fn k10_a_funnel_that_dies_is_told_and_started_again() {
    let host = Host::start(
        RUNNING,
        &format!("{STANDS}; {STAYS}; echo 'lost the daemon' >&2; exit 1"),
    );
    host.until(|tunnel| tunnel.state == TunnelState::Up).await;
    let mut changes = host.health.watch();
    let pipe = host.dir.path().join("end");
    // Opening it waits for the script to read from it.
    let ending = tokio::task::spawn_blocking(move || {
        while !pipe.exists() {
            std::thread::yield_now();
        }
        std::fs::write(pipe, "\n")
    });
    let down = |tunnel: &Tunnel| tunnel.state == TunnelState::Down;
    let fallen = changes.wait_for(|seen| seen.tunnel.as_ref().is_some_and(down));
    let error = fallen.await.unwrap().tunnel.clone().unwrap().error.unwrap();
    assert!(error.contains("lost the daemon"), "{error}");
    ending.await.unwrap().unwrap();
    host.until(|tunnel| tunnel.state == TunnelState::Up && tunnel.starts == 2)
        .await;
    host.end().await;
}

#[tokio::test]
async fn what_the_funnel_started_ends_with_it() {
    let funnel = format!("{STANDS}; sleep 3600 & echo $! > \"$dir/child\"; {STAYS}");
    let host = Host::start(RUNNING, &funnel);
    host.until(|tunnel| tunnel.state == TunnelState::Up).await;
    let child = loop {
        match std::fs::read_to_string(host.dir.path().join("child")) {
            Ok(id) if id.ends_with('\n') => break id.trim().to_owned(),
            Ok(_) | Err(_) => tokio::task::yield_now().await,
        }
    };
    host.end().await;
    let gone = async {
        let state = || std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        // One that was ended and that nobody has looked after yet is a zombie.
        while !state().is_empty() && !state().contains(") Z ") {
            tokio::task::yield_now().await;
        }
    };
    let gone = tokio::time::timeout(PLENTY, gone).await;
    assert!(gone.is_ok(), "it runs on");
}

#[tokio::test]
async fn each_thing_that_is_missing_has_words_and_a_remedy() {
    let says = |json: &str| format!("echo '{json}'");
    let own = |caps: &str| {
        says(&format!(
            r#"{{"BackendState":"Running","Self":{{"DNSName":"a.b.","CapMap":{caps}}}}}"#
        ))
    };
    let denied = "echo 'error: Access denied: serve config denied' >&2; exit 1";
    for (status, funnel, words, remedy) in [
        (
            says(r#"{"BackendState":"NeedsLogin"}"#),
            "",
            "not logged in",
            "tailscale up",
        ),
        (
            own(r#"{"funnel":null}"#),
            "",
            "HTTPS is not enabled",
            "tailscale.com/s/https",
        ),
        (
            own(r#"{"https":null}"#),
            "",
            "Funnel is not enabled",
            "tailscale.com/s/no-funnel",
        ),
        (RUNNING.to_owned(), denied, "Access denied", "--operator"),
        (
            "exit 1".to_owned(),
            "",
            "a newer version is out",
            "tailscaled",
        ),
    ] {
        let funnel = if funnel.is_empty() { "true" } else { funnel };
        let host = Host::start(&status, funnel);
        let (error, mend) = host.trouble().await;
        assert!(
            error.contains(words) && mend.contains(remedy),
            "{error} → {mend}"
        );
        host.end().await;
    }
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("tailscale");
    let host = Host::of(dir, program, HOUR);
    let (error, mend) = host.trouble().await;
    assert!(
        error.contains("not installed") && mend.contains("install"),
        "{error}"
    );
    host.end().await;
}

#[tokio::test]
async fn a_funnel_that_waits_for_a_person_is_given_up_with_its_link() {
    let link = "https://login.tailscale.com/f/funnel?node=n1";
    let funnel = format!("echo 'To enable, visit: {link}'; {STAYS}");
    let host = Host::patient(RUNNING, &funnel, Duration::from_millis(500));
    let down = host
        .until(|tunnel| {
            tunnel
                .error
                .as_deref()
                .is_some_and(|error| error.contains("longer than"))
        })
        .await;
    let error = down.error.unwrap();
    assert!(error.contains(link), "{error}");
    host.end().await;
}
