//! The modes in which Kapso pushes: the tunnel with a scripted `tailscale`, and the webhook that registers itself.
//!
//! The script speaks as the real program does; no real one can be had where these tests run.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use crate::{World, words};

/// Answers as a host that may use Funnel, notes its own process, and stays until it is ended.
const SCRIPT: &str = r#"#!/bin/sh
echo "Warning: client version differs from tailscaled" >&2
case "$1" in
status) echo '{"BackendState":"Running",
    "Self":{"DNSName":"box.tail1234.ts.net.","CapMap":{"funnel":null,"https":null}}}' ;;
funnel)
    echo "$2 $$" > "$(dirname "$0")/funnel"
    printf 'Available on the internet:\n\nhttps://box.tail1234.ts.net/\n|-- proxy http://127.0.0.1:%s\n' "$2"
    exec sleep 3600 ;;
esac
"#;

/// A directory with the scripted program in it.
fn bin(world: &World) -> anyhow::Result<PathBuf> {
    let dir = world.dir.path().join("bin");
    std::fs::create_dir(&dir)?;
    std::fs::write(dir.join("tailscale"), SCRIPT)?;
    std::fs::set_permissions(dir.join("tailscale"), Permissions::from_mode(0o755))?;
    Ok(dir)
}

/// What is answered to one request.
async fn answered(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &str,
) -> anyhow::Result<String> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Waits until the metrics have all these lines.
async fn measured(world: &World, lines: &[&str]) -> anyhow::Result<()> {
    let socket = world.dir.path().join("state/control.sock");
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    loop {
        let metrics = answered(UnixStream::connect(&socket).await?, request).await?;
        if lines.iter().all(|line| metrics.contains(line)) {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
}

/// The status with which a body is answered that is signed with `key`, through the tunnel's end.
async fn pushed(port: &str, key: &str) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes())?;
    mac.update(b"{}");
    let signature = hex::encode(mac.finalize().into_bytes());
    let stream = TcpStream::connect(format!("127.0.0.1:{port}")).await?;
    let request = format!(
        "POST /webhook HTTP/1.1\r\nHost: box.tail1234.ts.net\r\nX-Webhook-Signature: {signature}\r\n\
         Content-Length: 2\r\nConnection: close\r\n\r\n{{}}"
    );
    let answer = answered(stream, &request).await?;
    let status = answer.split(' ').nth(1).context("no answer")?;
    Ok(status.to_owned())
}

#[tokio::test]
async fn tailscale_mode_needs_two_variables_and_leaves_nothing_running() -> anyhow::Result<()> {
    let world = World::new().await?;
    let bin = bin(&world)?;
    let mut daemon = world
        .daemon(&[])
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("KAPSO_MODE", "tailscale")
        .env("KAPSO_WEBHOOK_ADDR", "127.0.0.1:0")
        .env("KAPSO_PLATFORM_URL", world.kapso.platform_url())
        .spawn()?;
    let webhook = world
        .kapso
        .until(|kapso| kapso.webhooks().into_iter().next())
        .await;
    ensure!(
        webhook["url"] == "https://box.tail1234.ts.net/webhook",
        "{webhook}"
    );
    ensure!(
        webhook["active"] == true && webhook["payload_version"] == "v2",
        "{webhook}"
    );
    let key = webhook["secret_key"].as_str().unwrap_or_default();
    ensure!(key.len() == 64, "no key was made: {webhook}");

    let told = std::fs::read_to_string(bin.join("funnel"))?;
    let (port, funnel) = told
        .trim()
        .split_once(' ')
        .context("the script did not run")?;
    ensure!(port.parse::<u16>().is_ok_and(|port| port > 0), "{told}");
    ensure!(
        pushed(port, key).await? == "200",
        "what Kapso signs is taken"
    );
    ensure!(pushed(port, "another key").await? == "401");

    let lines = [
        r#"kapso_whatsapp_up{part="tunnel"} 1"#,
        r#"kapso_whatsapp_webhook_registered{number="100000000000001",name="100000000000001"} 1"#,
    ];
    measured(&world, &lines).await?;

    let running = || PathBuf::from(format!("/proc/{funnel}")).exists();
    ensure!(running(), "{told}");
    let id = daemon.id().context("it has ended")?;
    let stopped = std::process::Command::new("kill")
        .arg(id.to_string())
        .status()?;
    ensure!(stopped.success() && daemon.wait().await?.success());
    ensure!(!running(), "Funnel was left running");
    Ok(())
}

#[tokio::test]
async fn a_domain_is_registered_with_the_same_key_after_a_restart() -> anyhow::Result<()> {
    let world = World::new().await?;
    let start = || {
        world
            .daemon(&[])
            .env("KAPSO_MODE", "domain")
            .env("KAPSO_PUBLIC_URL", "https://wa.example/")
            .env("KAPSO_WEBHOOK_ADDR", "127.0.0.1:0")
            .env("KAPSO_PLATFORM_URL", world.kapso.platform_url())
            .spawn()
    };
    let mut daemon = start()?;
    let first = world
        .kapso
        .until(|kapso| kapso.webhooks().into_iter().next())
        .await;
    daemon.kill().await?;
    let id = first["id"].as_str().unwrap_or_default();
    world.kapso.set_webhook(id, "active", json!(false));
    let daemon = start()?;
    world
        .kapso
        .until(|kapso| (kapso.webhooks()[0]["active"] == true).then_some(()))
        .await;
    let line = r#"kapso_whatsapp_webhook_switched_on_total{number="100000000000001",name="100000000000001"} 1"#;
    measured(&world, &[line]).await?;
    let all = world.kapso.webhooks();
    ensure!(
        all.len() == 1 && all[0]["secret_key"] == first["secret_key"],
        "{all:?}"
    );
    let stopped = std::process::Command::new("kill")
        .arg(daemon.id().context("it has ended")?.to_string())
        .status()?;
    ensure!(stopped.success());
    let output = daemon.wait_with_output().await?;
    let log = words(&output.stderr) + &words(&output.stdout);
    ensure!(
        log.contains("switched it on again") && !log.contains("is not set"),
        "{log}"
    );
    Ok(())
}
