//! A TCP relay between the daemon and the gateway, so that their socket alone can be dropped.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A running relay; dropping it ends it and every connection through it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct Shared {
    upstream: u16,
    /// Counts the cuts; a connection ends when the number is no longer the one it started under.
    cuts: watch::Sender<u64>,
    open: AtomicUsize,
}

impl Proxy {
    /// Listens on a port of its own and passes every connection to the loopback port `upstream`.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(upstream: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream,
            cuts: watch::channel(0).0,
            open: AtomicUsize::new(0),
        });
        let stop = CancellationToken::new();
        tokio::spawn(
            stop.clone()
                .run_until_cancelled_owned(serve(listener, Arc::clone(&shared))),
        );
        Ok(Self {
            address,
            shared,
            _stop: stop.drop_guard(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Drops every connection that is open, and gives their number. New ones are taken as before.
    pub fn cut(&self) -> usize {
        let open = self.shared.open.load(Ordering::Relaxed);
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
        open
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // An error of `accept` is about the one connection that did not come.
    loop {
        if let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass(client, Arc::clone(&shared)));
        }
    }
}

async fn pass(mut client: TcpStream, shared: Arc<Shared>) {
    let mut cut = shared.cuts.subscribe();
    let Ok(mut gateway) = TcpStream::connect(("127.0.0.1", shared.upstream)).await else {
        // A gateway that is away refuses connections; a reset is the nearest that a proxy can do.
        let _ = client.set_zero_linger();
        return;
    };
    shared.open.fetch_add(1, Ordering::Relaxed);
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut gateway) => {}
        _ = cut.changed() => {}
    }
    shared.open.fetch_sub(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_cut_ends_open_connections_and_takes_new_ones() {
        let server = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = Proxy::start(server.local_addr().unwrap().port())
            .await
            .unwrap();
        for expected in [1, 1] {
            let mut client = TcpStream::connect(proxy.address()).await.unwrap();
            let (mut gateway, _) = server.accept().await.unwrap();
            gateway.write_all(b"hi").await.unwrap();
            let mut hi = [0; 2];
            client.read_exact(&mut hi).await.unwrap();
            assert_eq!(proxy.cut(), expected);
            assert_eq!(client.read(&mut hi).await.unwrap_or(0), 0);
            assert_eq!(gateway.read(&mut hi).await.unwrap_or(0), 0);
        }
    }
}
