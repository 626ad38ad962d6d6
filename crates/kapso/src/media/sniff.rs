//! What a file is: by its first bytes, beside what it is said to be.

/// How much of a file's beginning tells what it is.
pub(super) const HEAD: usize = 8 * 1024;

/// The type that the first bytes of a file tell, if they tell one. Text tells none.
pub fn sniffed(head: &[u8]) -> Option<&'static str> {
    infer::get(head).map(|kind| kind.mime_type())
}

/// A file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// Its size.
    pub bytes: u64,
    /// The type that it is said to be, without parameters, in lower case.
    pub declared: Option<String>,
    /// The type that its first bytes tell.
    pub sniffed: Option<&'static str>,
}

impl Downloaded {
    /// A file of `bytes` bytes that begins with `head`, and is said to be of type `declared`.
    pub fn new(bytes: u64, declared: Option<&str>, head: &[u8]) -> Self {
        let bare = |mime: &str| {
            let (bare, _) = mime.split_once(';').unwrap_or((mime, ""));
            bare.trim().to_ascii_lowercase()
        };
        Self {
            bytes,
            declared: declared.map(bare).filter(|mime| !mime.is_empty()),
            sniffed: sniffed(head),
        }
    }

    /// What it is: what its bytes tell, else what it is said to be.
    pub fn mime(&self) -> &str {
        self.sniffed
            .or(self.declared.as_deref())
            .unwrap_or("application/octet-stream")
    }

    /// Whether it is something else than it is said to be: a picture, or a film or sound, and the other not.
    pub fn is_disguised(&self) -> bool {
        match (self.declared.as_deref(), self.sniffed) {
            (Some(declared), Some(sniffed)) => family(declared) != family(sniffed),
            (Some(_), None) | (None, _) => false,
        }
    }
}

/// What a type is roughly. A film's container may hold a sound alone.
fn family(mime: &str) -> &str {
    match mime.split_once('/').map_or(mime, |(family, _)| family) {
        "image" => "image",
        "audio" | "video" => "recording",
        // Ogg has this name, too.
        _ if mime == "application/ogg" => "recording",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

    #[test]
    fn what_a_file_is_is_told_by_its_bytes() {
        let picture = Downloaded::new(9, Some("Image/PNG; x=y"), PNG);
        assert_eq!(picture.declared.as_deref(), Some("image/png"));
        assert_eq!(
            (picture.mime(), picture.is_disguised()),
            ("image/png", false)
        );
        let claimed = Downloaded::new(9, Some("audio/ogg; codecs=opus"), PNG);
        assert_eq!(
            (claimed.mime(), claimed.is_disguised()),
            ("image/png", true)
        );
        let text = Downloaded::new(9, Some("text/csv"), b"a;b\n1;2\n");
        assert_eq!((text.mime(), text.is_disguised()), ("text/csv", false));
        let voice = Downloaded::new(9, Some("audio/ogg; codecs=opus"), b"OggS\0\x02");
        assert!(!voice.is_disguised());
        assert_eq!(
            Downloaded::new(1, None, b"?").mime(),
            "application/octet-stream"
        );
    }
}
