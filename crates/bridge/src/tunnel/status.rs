//! What `tailscale status --json` says: whether Funnel may be used, and under which name the host is reached.
//!
//! The names of the fields and of the capabilities are those of Tailscale's `ipnstate.Status` and
//! `ipn.CheckFunnelAccess`.

use std::collections::BTreeMap;
use std::time::Duration;

use kapso::Url;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use super::{Trouble, not_started};

/// Bytes of each stream that are read; the status of one host is a few kilobytes.
const MOST: u64 = 1 << 20;

/// How much of what was said is told, in characters.
const TOLD: usize = 300;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    backend_state: String,
    #[serde(rename = "Self")]
    own: Option<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    #[serde(rename = "DNSName", default)]
    dns_name: String,
    cap_map: Option<BTreeMap<String, IgnoredAny>>,
    /// The same in older releases.
    capabilities: Option<Vec<String>>,
}

impl Node {
    /// Whether it has a capability; none where the release does not tell.
    fn has(&self, capability: &str) -> Option<bool> {
        if let Some(map) = &self.cap_map {
            return Some(map.contains_key(capability));
        }
        let list = self.capabilities.as_ref()?;
        Some(list.iter().any(|of| of == capability))
    }
}

/// Runs the command, and reads what it says on standard output alone.
pub(super) async fn look(mut command: Command, patience: Duration) -> Result<Url, Trouble> {
    let mut child = command.spawn().map_err(not_started)?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let said = async { tokio::join!(whole(out), whole(err), child.wait()) };
    let Ok((out, err, status)) = timeout(patience, said).await else {
        return Err(Trouble::Slow {
            what: "status",
            after: patience,
            said: "no answer".to_owned(),
        });
    };
    if !status?.success() {
        return Err(Trouble::NoDaemon(excerpt(&err)));
    }
    read(&out)
}

async fn whole(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // What was read until it broke off says more than the error.
        let _ = stream.take(MOST).read_to_end(&mut bytes).await;
    }
    bytes
}

/// What a program said, on one line.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let words: Vec<&str> = text.split_whitespace().collect();
    let told: String = words.join(" ").chars().take(TOLD).collect();
    if told.is_empty() {
        "it says nothing".to_owned()
    } else {
        told
    }
}

fn read(out: &[u8]) -> Result<Url, Trouble> {
    let status: Status =
        serde_json::from_slice(out).map_err(|error| Trouble::Unreadable(error.to_string()))?;
    match status.backend_state.as_str() {
        "Running" => {}
        "NeedsLogin" | "NeedsMachineAuth" | "NoState" => {
            return Err(Trouble::NotLoggedIn(status.backend_state));
        }
        _ => return Err(Trouble::NotConnected(status.backend_state)),
    }
    let own = status.own.ok_or(Trouble::NoName)?;
    if own.has("https") == Some(false) {
        return Err(Trouble::NoHttps);
    }
    if own.has("funnel") == Some(false) {
        return Err(Trouble::NoFunnel);
    }
    let name = own.dns_name.trim_end_matches('.');
    if name.is_empty() {
        return Err(Trouble::NoName);
    }
    let url = format!("https://{name}/").parse();
    url.map_err(|_not_a_host| Trouble::Unreadable(format!("DNSName is {name:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<String, String> {
        match read(json.as_bytes()) {
            Ok(url) => Ok(url.to_string()),
            Err(trouble) => Err(trouble.to_string()),
        }
    }

    #[test]
    fn a_host_that_may_use_funnel_is_reached_by_its_name() {
        let url = Ok("https://box.tail1234.ts.net/".to_owned());
        let new = r#"{"Version":"1.84.0","BackendState":"Running","CertDomains":["box.tail1234.ts.net"],
            "Self":{"ID":"n1","DNSName":"box.tail1234.ts.net.","CapMap":{"funnel":null,"https":null,
            "https://tailscale.com/cap/funnel-ports?ports=443,8443,10000":null}},"Peer":null}"#;
        assert_eq!(of(new), url);
        let old = r#"{"BackendState":"Running",
            "Self":{"DNSName":"box.tail1234.ts.net.","Capabilities":["https","funnel"]}}"#;
        assert_eq!(of(old), url);
        let silent = r#"{"BackendState":"Running","Self":{"DNSName":"box.tail1234.ts.net."}}"#;
        assert_eq!(of(silent), url);
    }

    #[test]
    fn each_thing_that_is_missing_has_words_of_its_own() {
        for (json, words) in [
            (
                r#"{"BackendState":"NeedsLogin","Self":null}"#,
                "not logged in",
            ),
            (
                r#"{"BackendState":"Stopped"}"#,
                "not connected (its state is Stopped)",
            ),
            (
                r#"{"BackendState":"Running","Self":{"DNSName":"a.","CapMap":{"funnel":null}}}"#,
                "HTTPS is not enabled",
            ),
            (
                r#"{"BackendState":"Running","Self":{"DNSName":"a.","CapMap":{"https":null}}}"#,
                "Funnel is not enabled",
            ),
            (
                r#"{"BackendState":"Running","Self":{"DNSName":""}}"#,
                "MagicDNS",
            ),
            (
                "Warning: client version differs\n{}",
                "cannot be understood",
            ),
        ] {
            let told = of(json).unwrap_err();
            assert!(told.contains(words), "{told}");
        }
    }
}
