//! Where the gateway is.

use std::fmt;
use std::str::FromStr;

use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::http::uri::InvalidUri;

/// The address of a gateway: `ws://host:port` or `wss://host`, with a path where a proxy needs one.
///
/// It carries no secret, so that it may be shown: user names, passwords and queries are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayUrl(Uri);

/// Why a text is not the address of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// No address at all.
    #[error("is not a URL")]
    Syntax,
    /// Another protocol.
    #[error("begins with neither ws:// nor wss://")]
    Scheme,
    /// A user name, a password or a query: the place for a secret is the token.
    #[error("must not contain a user name, a password or a query; the token has its own key")]
    Secret,
}

impl GatewayUrl {
    /// Reads an address. `http` and `https` are taken for `ws` and `wss`.
    ///
    /// # Errors
    /// [`InvalidUrl`] when it is not one.
    pub fn new(text: &str) -> Result<Self, InvalidUrl> {
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").ok_or(InvalidUrl::Syntax)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "ws" | "http" => "ws",
            "wss" | "https" => "wss",
            _ => return Err(InvalidUrl::Scheme),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') || rest.contains(['?', '#']) {
            return Err(InvalidUrl::Secret);
        }
        let uri: Uri = format!("{scheme}://{rest}")
            .parse()
            .map_err(|_invalid: InvalidUri| InvalidUrl::Syntax)?;
        if uri.host().is_none_or(str::is_empty) {
            return Err(InvalidUrl::Syntax);
        }
        Ok(Self(uri))
    }

    /// The address for the dialler.
    pub(crate) fn uri(&self) -> &Uri {
        &self.0
    }
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for GatewayUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_websocket_address_without_secrets() {
        let url = |text| GatewayUrl::new(text).map(|url| url.to_string());
        assert_eq!(
            url("ws://127.0.0.1:18789"),
            Ok("ws://127.0.0.1:18789/".to_owned())
        );
        assert_eq!(
            url(" HTTPS://gw.example/oc "),
            Ok("wss://gw.example/oc".to_owned())
        );
        assert_eq!(url("ws://[::1]:18789/"), Ok("ws://[::1]:18789/".to_owned()));
        assert_eq!(url("ftp://x"), Err(InvalidUrl::Scheme));
        assert_eq!(url("127.0.0.1:18789"), Err(InvalidUrl::Syntax));
        assert_eq!(url("ws://"), Err(InvalidUrl::Syntax));
        assert_eq!(url("ws://user:pw@x"), Err(InvalidUrl::Secret));
        assert_eq!(url("ws://x/?token=1"), Err(InvalidUrl::Secret));
    }
}
