//! What makes the open port reachable: the tunnel, and the webhook at Kapso that pushes to it. Neither holds the
//! bridge up.

use std::net::SocketAddr;

use bridge::control::Control;
use bridge::inbound::webhook::NumberKeys;
use bridge::registration::{Keeper, Registrant, RegistrationTiming};
use bridge::tunnel::{Tailscale, TunnelTiming};
use config::{Config, Mode};
use kapso::Url;
use kapso::platform::Platform;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The tunnel's program, looked for on `PATH`.
const TAILSCALE: &str = "tailscale";

/// The tunnel and the registration, before they run.
pub(crate) struct Reachable {
    tunnel: Option<Tailscale>,
    keeper: Option<Keeper>,
    address: watch::Sender<Option<Url>>,
}

impl Reachable {
    /// What the configuration wants of it; none where that is nothing.
    ///
    /// # Errors
    /// A `kapso.platform_url` that cannot be used.
    pub(crate) fn new(
        config: &Config,
        listens: SocketAddr,
        keys: &[NumberKeys],
        control: &Control,
    ) -> anyhow::Result<Option<Self>> {
        let delivery = &config.delivery;
        let (address, told) = watch::channel(delivery.public_url.clone());
        let tunnel = (delivery.mode == Mode::Tailscale).then(|| Tailscale {
            program: TAILSCALE.into(),
            target: target(listens),
            health: control.health.clone(),
            clock: control.clock.clone(),
            timing: TunnelTiming::default(),
        });
        if tunnel.is_some() {
            // Funnel says under which name this host is reached.
            address.send_replace(None);
        }
        let keeper = if delivery.registers() {
            let client = &control.numbers.first().kapso;
            Some(Keeper {
                platform: Platform::new(client, config.kapso.platform_url.clone())?,
                registrants: keys.iter().map(registrant).collect(),
                address: told,
                health: control.health.clone(),
                clock: control.clock.clone(),
                timing: RegistrationTiming::default(),
            })
        } else {
            None
        };
        let wanted = tunnel.is_some() || keeper.is_some();
        Ok(wanted.then_some(Self {
            tunnel,
            keeper,
            address,
        }))
    }

    /// Keeps both until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Self {
            tunnel,
            keeper,
            address,
        } = self;
        let tunnel = async {
            if let Some(tunnel) = tunnel {
                tunnel.run(address, stop.clone()).await;
            }
        };
        let keeper = async {
            if let Some(keeper) = keeper {
                keeper.run(stop.clone()).await;
            }
        };
        tokio::join!(tunnel, keeper);
    }
}

fn registrant(number: &NumberKeys) -> Registrant {
    Registrant {
        number: number.number.clone(),
        name: number.name.clone(),
        secret: number.keys.kapso.clone(),
    }
}

/// What Funnel hands over to. It reaches a port of this host by its number alone.
fn target(listens: SocketAddr) -> String {
    let ip = listens.ip();
    if ip.is_loopback() || ip.is_unspecified() {
        listens.port().to_string()
    } else {
        format!("http://{listens}")
    }
}
