//! The built daemon as a child process: arguments, exit codes, the lock, a single pass.

mod reachable;

use std::path::Path;
use std::process::{Output, Stdio};

use anyhow::{Context, ensure};
use model::NumberId;
use sandbox::kapso::{Incoming, KapsoStandIn, StandInOptions};
use sandbox::openclaw::{OpenClawStandIn, Options};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

const API_KEY: &str = "a-secret-key";
const NUMBER: &str = "100000000000001";
const ANN: &str = "+15551234567";

/// Both outside parties and a state directory.
struct World {
    kapso: KapsoStandIn,
    openclaw: OpenClawStandIn,
    dir: TempDir,
    stop: CancellationToken,
}

impl World {
    async fn new() -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let options = StandInOptions::new(API_KEY.to_owned(), NumberId::new(NUMBER)?);
        let kapso = KapsoStandIn::start(
            TcpListener::bind("127.0.0.1:0").await?,
            options,
            stop.clone(),
        )
        .await?;
        let gateway = TcpListener::bind("127.0.0.1:0").await?;
        let openclaw = OpenClawStandIn::start(gateway, Options::default(), stop.clone())?;
        Ok(Self {
            kapso,
            openclaw,
            dir: tempfile::tempdir()?,
            stop,
        })
    }

    fn daemon(&self, arguments: &[&str]) -> Command {
        let mut command = daemon(self.dir.path(), arguments);
        command
            .env("KAPSO_API_KEY", API_KEY)
            .env("KAPSO_PHONE_NUMBER_ID", NUMBER)
            .env("KAPSO_BASE_URL", self.kapso.base_url())
            .env("KAPSO_ALLOWED_NUMBERS", ANN)
            .env("GATEWAY_URL", self.openclaw.url());
        command
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The daemon with nothing in its environment but where it may write.
fn daemon(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kapso-whatsapp-poller"));
    command
        .args(arguments)
        .env_clear()
        .env("HOME", dir)
        .env("KAPSO_STATE_DIR", dir.join("state"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

fn words(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn what_is_missing_is_said_with_exit_code_2_before_anything_is_opened() -> anyhow::Result<()>
{
    let dir = tempfile::tempdir()?;
    let Output { status, stderr, .. } = daemon(dir.path(), &[]).output().await?;
    let told = words(&stderr);
    ensure!(status.code() == Some(2), "{status}");
    ensure!(
        told.contains("KAPSO_API_KEY") && told.contains("KAPSO_PHONE_NUMBER_ID"),
        "{told}"
    );
    ensure!(
        !dir.path().join("state").exists(),
        "the state directory was made"
    );
    Ok(())
}

#[tokio::test]
async fn check_shows_the_effective_configuration_and_no_secret() -> anyhow::Result<()> {
    let world = World::new().await?;
    let Output {
        status,
        stdout,
        stderr,
    } = world.daemon(&["--check"]).output().await?;
    let shown = words(&stdout);
    ensure!(status.success(), "{}", words(&stderr));
    ensure!(
        shown.contains(NUMBER) && !shown.contains(API_KEY),
        "{shown}"
    );
    ensure!(world.kapso.requests().is_empty(), "something was sent");
    Ok(())
}

#[tokio::test]
async fn a_route_to_nothing_a_bad_zone_and_an_empty_role_are_found_by_check() -> anyhow::Result<()>
{
    let world = World::new().await?;
    let file = world.dir.path().join("bad.toml");
    std::fs::write(
        &file,
        "[security.roles]\nadmin = []\n[[routes]]\nnumber = \"sales\"\nagent = \"desk\"\n\
         [rules.hours]\nzone = \"Europe/Pariss\"\nopen = \"09:00\"\nclose = \"18:00\"\n",
    )?;
    let output = world
        .daemon(&["--check", "--config"])
        .arg(&file)
        .output()
        .await?;
    let told = words(&output.stderr);
    for part in [
        "security.roles.admin",
        "routes",
        "sales",
        "nearest one is Europe/Paris",
        "bad.toml",
    ] {
        ensure!(told.contains(part), "no {part:?} in: {told}");
    }
    ensure!(output.status.code() == Some(2), "{:?}", output.status);
    Ok(())
}

#[tokio::test]
async fn p16_a_second_process_refuses_and_names_the_first() -> anyhow::Result<()> {
    let world = World::new().await?;
    let first = world.daemon(&[]).spawn()?;
    let id = first.id().context("it has ended")?.to_string();
    world
        .kapso
        .until(|kapso| (!kapso.requests().is_empty()).then_some(()))
        .await;
    let Output { status, stderr, .. } = world.daemon(&[]).output().await?;
    let told = words(&stderr);
    ensure!(
        status.code() == Some(1) && told.contains(&id),
        "{status} {told}"
    );
    Ok(())
}

#[tokio::test]
async fn i14_a_port_that_is_taken_ends_the_process_and_is_named() -> anyhow::Result<()> {
    let world = World::new().await?;
    let taken = TcpListener::bind("127.0.0.1:0").await?;
    let addr = taken.local_addr()?.to_string();
    for (mode, variable) in [
        ("domain", "KAPSO_WEBHOOK_ADDR"),
        ("polling", "KAPSO_METRICS_ADDR"),
    ] {
        let output = world
            .daemon(&[])
            .env("KAPSO_MODE", mode)
            .env("KAPSO_WEBHOOK_SECRET", "secret")
            .env(variable, &addr)
            .output()
            .await?;
        let told = words(&output.stderr);
        ensure!(
            output.status.code() == Some(1) && told.contains(&addr),
            "{} {told}",
            output.status
        );
    }
    Ok(())
}

#[tokio::test]
async fn without_a_key_the_log_says_what_is_missing_and_how_to_add_it() -> anyhow::Result<()> {
    let world = World::new().await?;
    let output = world
        .daemon(&["--once"])
        .env("KAPSO_MODE", "domain")
        .env("KAPSO_WEBHOOK_ADDR", "127.0.0.1:0")
        .output()
        .await?;
    let told = words(&output.stderr);
    ensure!(
        told.contains("webhook.secret") && told.contains("openssl rand"),
        "{told}"
    );
    Ok(())
}

#[tokio::test]
async fn once_answers_what_is_new_and_ends() -> anyhow::Result<()> {
    let world = World::new().await?;
    let first = world.daemon(&["--once"]).output().await?;
    ensure!(first.status.success(), "{}", words(&first.stderr));
    world.kapso.receive(ANN, Incoming::text("hello"));
    let second = world.daemon(&["--once"]).output().await?;
    ensure!(second.status.success(), "{}", words(&second.stderr));
    let sent = world.kapso.sent_to(ANN, 1).await;
    ensure!(sent[0].text == "You said: hello", "{}", sent[0].text);
    Ok(())
}

#[tokio::test]
async fn g8_the_log_holds_neither_words_nor_secrets() -> anyhow::Result<()> {
    let world = World::new().await?;
    world.daemon(&["--once"]).output().await?;
    world
        .kapso
        .receive(ANN, Incoming::text("something very private"));
    let output = world.daemon(&["--once"]).output().await?;
    world.kapso.sent_to(ANN, 1).await;
    let log = words(&output.stderr);
    ensure!(log.contains("running"), "{log}");
    ensure!(!log.contains("private") && !log.contains(API_KEY), "{log}");
    Ok(())
}
