//! The files of the page, as they lie in `web/`.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;

/// A file of the page.
#[derive(Debug, Clone, Copy)]
pub(super) struct File {
    /// Its address, below the page's own.
    pub(super) path: &'static str,
    content_type: &'static str,
    body: &'static str,
}

macro_rules! files {
    ($($name:literal: $content_type:expr,)+) => {
        &[$(File {
            path: $name,
            content_type: $content_type,
            body: include_str!(concat!("../../web/", $name)),
        },)+]
    };
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The page itself.
pub(super) const PAGE: File = File {
    path: "",
    content_type: "text/html; charset=utf-8",
    body: include_str!("../../web/index.html"),
};

/// What it loads.
pub(super) const FILES: &[File] = files! {
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "api.js": SCRIPT,
    "ask.js": SCRIPT,
    "bubble.js": SCRIPT,
    "chat.js": SCRIPT,
    "chats.js": SCRIPT,
    "composer.js": SCRIPT,
    "dom.js": SCRIPT,
    "drawer.js": SCRIPT,
    "faults.js": SCRIPT,
    "format.js": SCRIPT,
    "main.js": SCRIPT,
    "model.js": SCRIPT,
    "people.js": SCRIPT,
    "stages.js": SCRIPT,
    "wire.js": SCRIPT,
};

impl File {
    /// The answer to a request for it. Not kept by the browser: the next program may be a newer one.
    pub(super) fn answer(self) -> impl IntoResponse {
        let headers = [
            (CONTENT_TYPE, self.content_type),
            (CACHE_CONTROL, "no-store"),
        ];
        (headers, self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that a browser loads before the page can be used, in bytes.
    const HEAVIEST: usize = 150_000;

    #[test]
    fn the_page_is_light() {
        let weight: usize = FILES.iter().map(|file| file.body.len()).sum();
        assert!(weight + PAGE.body.len() < HEAVIEST, "{weight}");
    }

    #[test]
    fn every_file_of_the_page_is_served_and_asks_nobody_else() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/web");
        for entry in std::fs::read_dir(folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let served = FILES.iter().any(|file| file.path == name);
            assert!(served || name == "index.html", "{name}");
        }
        for file in FILES.iter().chain([&PAGE]) {
            let body = file.body.replace("http://www.w3.org/2000/svg", "");
            for foreign in [
                "src=\"http",
                "href=\"http",
                "url(http",
                "import(\"http",
                "innerHTML",
            ] {
                assert!(!body.contains(foreign), "{} has {foreign}", file.path);
            }
        }
    }
}
