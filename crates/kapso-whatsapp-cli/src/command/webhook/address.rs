//! Where Kapso has to push: as given, as configured, or as the running poller's tunnel says.

use bridge::registration::webhook_url;
use config::{Config, Mode};
use kapso::Url;

use crate::control::Poller;
use crate::outcome::{Exit, Outcome};

/// The address of the webhook.
///
/// # Errors
/// The outcome of a command for which there is none.
pub(super) async fn url(config: &Config, given: Option<&Url>) -> Result<Url, Outcome> {
    if let Some(public) = given {
        return Ok(webhook_url(public));
    }
    match (config.delivery.mode, &config.delivery.public_url) {
        (Mode::Tailscale, _) => tunnel(config).await,
        (Mode::Domain | Mode::Polling, Some(public)) => Ok(webhook_url(public)),
        (Mode::Domain | Mode::Polling, None) => Err(Outcome::failed(
            Exit::Usage,
            "nothing says where Kapso has to push: set KAPSO_PUBLIC_URL, or give --url https://…",
        )),
    }
}

async fn tunnel(config: &Config) -> Result<Url, Outcome> {
    let report = Poller::of(&config.state).health().await?;
    let tunnel = &report["webhook"]["tunnel"];
    let url = tunnel["url"].as_str().and_then(|url| url.parse().ok());
    url.map(|url| webhook_url(&url)).ok_or_else(|| {
        let error = tunnel["error"].as_str().unwrap_or("it is being made");
        let text = format!("the tunnel does not stand: {error}");
        Outcome::failed(Exit::Temporary, text)
    })
}
