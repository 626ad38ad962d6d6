//! A connection that is dead without saying so.

use std::time::Duration;

use anyhow::Result;
use gateway::{Reason, Status};
use serde_json::json;

use crate::peer::{Client, Server, within};

/// Milliseconds; long enough for a busy machine to answer within it.
const TICK: u64 = 250;

#[tokio::test]
async fn g5_a_silent_gateway_is_given_up_and_dialled_again() -> Result<()> {
    within(async {
        let server = Server::bind().await?;
        let client = Client::open(server.options()?);
        let policy = json!({"policy": {"tickIntervalMs": TICK}});
        let mut peer = server.welcome_as("2026.9.6", policy).await?;
        client.gateway.ready().await;
        // The peer does not even read, as a host without power: no pong comes.
        let last = client
            .status(|status| match status {
                Status::Connecting {
                    last: Some(last), ..
                } => Some(last.clone()),
                Status::Connecting { last: None, .. }
                | Status::Connected(_)
                | Status::Refused { .. }
                | Status::Closed => None,
            })
            .await?;
        assert_eq!(last.reason, Reason::Silent);
        assert_eq!(peer.closed().await?, Some(4000));
        let _again = server.welcome().await?;
        client.gateway.ready().await;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_gateway_that_answers_pings_is_alive_without_ticks() -> Result<()> {
    within(async {
        let server = Server::bind().await?;
        let client = Client::open(server.options()?);
        let policy = json!({"policy": {"tickIntervalMs": TICK}});
        let mut peer = server.welcome_as("2026.9.6", policy).await?;
        client.gateway.ready().await;
        for _ in 0..3 {
            peer.pinged().await?;
        }
        assert_eq!(client.gateway.counters().connections, 1);
        assert!(matches!(
            *client.gateway.status().borrow(),
            Status::Connected(_)
        ));
        Ok(())
    })
    .await
}

#[tokio::test]
async fn g5_no_silence_is_longer_than_the_limit_whatever_tick_is_named() -> Result<()> {
    within(async {
        let server = Server::bind().await?;
        let mut options = server.options()?;
        assert!(gateway::Timing::default().silence <= Duration::from_secs(60));
        options.timing.silence = Duration::from_millis(2 * TICK);
        let client = Client::open(options);
        let policy = json!({"policy": {"tickIntervalMs": 3_600_000}});
        let mut peer = server.welcome_as("2026.9.6", policy).await?;
        client.gateway.ready().await;
        client
            .status(|status| (!matches!(status, Status::Connected(_))).then_some(()))
            .await?;
        assert_eq!(peer.closed().await?, Some(4000));
        Ok(())
    })
    .await
}
