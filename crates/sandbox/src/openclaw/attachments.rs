//! Attachments of `agent`: pictures only (openclaw.md 3.5, recorded in `70-attachments-agent`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::faults::Rejection;
use super::release::Release;

/// The largest picture, in bytes.
const LARGEST: usize = 6_291_456;

/// Refuses what is no picture, too large or not base64. What names a file or an address instead of holding one is
/// ignored, as the gateway ignores it.
pub(super) fn check(release: Release, attachments: Option<&Value>) -> Result<(), Rejection> {
    let list = attachments.and_then(Value::as_array);
    for attachment in list.into_iter().flatten() {
        let Some(content) = content(attachment) else {
            continue;
        };
        let name = attachment
            .get("fileName")
            .and_then(Value::as_str)
            .unwrap_or("attachment");
        one(release, attachment, name, content)?;
    }
    Ok(())
}

fn content(attachment: &Value) -> Option<&str> {
    let data = || attachment.get("source")?.get("data");
    attachment.get("content").or_else(data)?.as_str()
}

fn one(release: Release, attachment: &Value, name: &str, content: &str) -> Result<(), Rejection> {
    let unsupported = |what: &str| {
        Rejection::invalid(format!(
            "UnsupportedAttachmentError: attachment {name}: {what}"
        ))
    };
    let base64 = match content.split_once(";base64,") {
        Some((_, base64)) if content.starts_with("data:") => base64,
        Some(_) | None => content,
    };
    if base64.is_empty() {
        return match release {
            Release::V2026_9_6 => Err(unsupported("empty payload")),
            Release::V2026_5_7 | Release::V2026_7_35 => Ok(()),
        };
    }
    let Ok(bytes) = STANDARD.decode(base64) else {
        let message = format!("Error: attachment {name}: invalid base64 content");
        return Err(Rejection::invalid(message));
    };
    if !is_picture(&bytes) {
        let kind = attachment.get("mimeType").and_then(Value::as_str);
        let kind = kind.unwrap_or("application/octet-stream");
        return Err(unsupported(&format!(
            "non-image attachments ({kind}) are not supported on this entrypoint"
        )));
    }
    if bytes.len() > LARGEST {
        return Err(Rejection::invalid(format!(
            "Error: attachment {name}: image exceeds size limit ({} > {LARGEST} bytes)",
            bytes.len()
        )));
    }
    Ok(())
}

/// Told by the first bytes: the declared type may be wrong or missing.
fn is_picture(bytes: &[u8]) -> bool {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let webp = starts(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    webp || starts(b"\x89PNG") || starts(b"\xff\xd8\xff") || starts(b"GIF8")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(release: Release, attachment: &Value) -> Option<String> {
        let list = json!([attachment]);
        check(release, Some(&list))
            .err()
            .map(|rejection| rejection.message)
    }

    #[test]
    fn pictures_pass_and_other_files_are_refused_as_recorded() {
        let png = STANDARD.encode(b"\x89PNG\r\n\x1a\n....");
        let flat = json!({"fileName": "p.png", "content": png});
        let url = json!({"content": format!("data:image/png;base64,{png}")});
        let nested = json!({"source": {"type": "base64", "data": png}});
        let wav = json!({"mimeType": "audio/wav", "fileName": "v.wav",
            "content": STANDARD.encode(b"RIFF....WAVE")});
        for release in Release::ALL {
            for good in [&flat, &url, &nested, &json!({"path": "/etc/passwd"})] {
                assert_eq!(refused(release, good), None);
            }
            assert_eq!(
                refused(release, &wav).as_deref(),
                Some(
                    "UnsupportedAttachmentError: attachment v.wav: non-image attachments (audio/wav) are not \
                     supported on this entrypoint"
                )
            );
        }
        let empty = json!({"fileName": "p.png", "content": ""});
        assert!(refused(Release::V2026_9_6, &empty).is_some());
        assert_eq!(refused(Release::V2026_5_7, &empty), None);
    }
}
