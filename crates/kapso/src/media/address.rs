//! Names into addresses, of which only public ones are dialled.
//!
//! The check is where the name is resolved, so what was checked is what is dialled: a name that changes its address
//! between the two gains nothing.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// How names become addresses.
#[derive(Debug, Clone)]
pub enum Names {
    /// As the host does it.
    System,
    /// By this table and by nothing else.
    Table(HashMap<String, Vec<IpAddr>>),
}

/// A name that leads into a private network.
#[derive(Debug, thiserror::Error)]
#[error("no public address")]
pub(super) struct NotPublic;

/// Resolves names to their public addresses.
#[derive(Debug)]
pub(super) struct PublicOnly {
    pub(super) names: Names,
    /// Names of this machine that are allowed.
    pub(super) local: Arc<[String]>,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_owned();
        let known = match &self.names {
            Names::System => None,
            Names::Table(table) => Some(table.get(&name).cloned().unwrap_or_default()),
        };
        let local = self.local.contains(&name);
        Box::pin(async move {
            let all: Vec<SocketAddr> = match known {
                Some(known) => known.into_iter().map(|ip| (ip, 0).into()).collect(),
                None => tokio::net::lookup_host((name.as_str(), 0)).await?.collect(),
            };
            if all.is_empty() {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            let allowed = |address: &SocketAddr| {
                is_public(address.ip()) || (local && address.ip().is_loopback())
            };
            let dialled: Vec<SocketAddr> = all.into_iter().filter(allowed).collect();
            if dialled.is_empty() {
                return Err(NotPublic.into());
            }
            let addresses: Addrs = Box::new(dialled.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether anybody on the internet may have it: not one of a private, local, shared, documentation or reserved range
/// (RFC 6890), in whatever form of IPv6 it is wrapped.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = a == 0
        || a >= 224
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        // Carriers' and overlay networks' own.
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let v4 = || {
        let ([g0, g1], [h0, h1]) = (g.to_be_bytes(), h.to_be_bytes());
        Ipv4Addr::new(g0, g1, h0, h1)
    };
    match (a, b) {
        (0, 0) if [c, d, e] == [0; 3] && f == 0xffff => is_public_v4(v4()),
        // How a network without IPv4 reaches it.
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => is_public_v4(v4()),
        // Tunnels, benchmarks, documentation.
        (0x2001, 0..0x200 | 0xdb8) | (0x2002 | 0x3fff, _) => false,
        _ => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c13_only_public_addresses_are_public() {
        for ip in [
            "1.1.1.1",
            "172.64.66.1",
            "100.63.0.1",
            "198.20.0.1",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
        ] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
    }
}
