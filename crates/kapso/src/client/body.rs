//! Reads the body of an answer, never more of it than is of use.

use reqwest::Response;

/// The largest answer that is read, in bytes: many times a page of a hundred messages.
pub(super) const MOST: usize = 16 * 1024 * 1024;

/// How much of a refusal is read, in bytes: enough for any of Kapso's, not for a proxy's whole web page.
const MOST_OF_REFUSAL: usize = 64 * 1024;

/// The whole body; none when it is larger than [`MOST`].
pub(super) async fn whole(response: &mut Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MOST {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// The beginning of a refusal's body. What could not be read of it is left out: the status alone says enough.
pub(super) async fn start(response: &mut Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MOST_OF_REFUSAL - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MOST_OF_REFUSAL {
            break;
        }
    }
    body
}
