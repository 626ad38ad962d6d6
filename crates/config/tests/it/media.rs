//! `[media]`: the files that come with messages.

use std::time::Duration;

use config::TranscribeProvider;

use crate::Setup;

#[test]
fn files_lie_in_the_state_folder_unless_elsewhere() {
    let setup = Setup::new();
    let usual = setup.load_text("[state]\ndir = \"/srv/bridge\"\n").unwrap();
    assert_eq!(usual.media_dir().to_str(), Some("/srv/bridge/media"));
    assert_eq!(usual.media.keep, Duration::from_secs(7 * 24 * 3600));
    let moved = setup
        .load_text("[media]\ndir = \"/srv/agent/inbox\"\nkeep = 3600\n")
        .unwrap();
    assert_eq!(moved.media_dir().to_str(), Some("/srv/agent/inbox"));
    assert_eq!(moved.media.keep, Duration::from_secs(3600));
}

#[test]
fn c13_hosts_are_kapsos_unless_listed_and_never_half_the_world() {
    let hosts = |setup: Setup, text: &str| {
        let config = setup.load_text(text).unwrap();
        config
            .media
            .hosts
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        hosts(Setup::new(), ""),
        ["*.kapso.ai", "kapso-ai-prod.*.r2.cloudflarestorage.com"]
    );
    let listed = "[media]\nhosts = [\"Files.example.com\"]\n";
    assert_eq!(hosts(Setup::new(), listed), ["files.example.com"]);
    let setup = Setup::new().set("KAPSO_MEDIA_HOSTS", "a.example.com, *.b.example.com");
    assert_eq!(hosts(setup, ""), ["a.example.com", "*.b.example.com"]);
    for host in ["*", "*.com", "10.0.0.1", "https://a.example.com"] {
        let text = format!("[media]\nhosts = [\"{host}\"]\n");
        let error = Setup::new().load_text(&text).unwrap_err();
        assert_eq!(error.problems()[0].key, "media.hosts", "{host}");
    }
}

#[test]
fn the_largest_file_is_set_kind_by_kind() {
    let setup = Setup::new().set("KAPSO_MEDIA_MAX_VIDEO", "0");
    let config = setup
        .load_text("[media.max_bytes]\nimage = 1000\n")
        .unwrap();
    let most = config.media.max_bytes;
    assert_eq!((most.image, most.video, most.audio), (1000, 0, 16 << 20));
}

#[test]
fn voice_is_transcribed_by_whom_there_is_a_key_for() {
    assert!(Setup::new().load().unwrap().transcribe.is_none());
    let setup = Setup::new().set("KAPSO_TRANSCRIBE_API_KEY", "gsk");
    let text = "[transcribe]\nprovider = \"Groq\"\nno_speech_threshold = 0.5\n";
    let transcribe = setup.load_text(text).unwrap().transcribe.unwrap();
    assert_eq!(transcribe.provider, TranscribeProvider::Groq);
    assert_eq!(transcribe.no_speech_threshold.to_string(), "0.5");
    for (text, key) in [
        ("provider = \"groq\"", "transcribe.api_key"),
        ("provider = \"grok\"", "transcribe.provider"),
        (
            "no_speech_threshold = 1.5",
            "transcribe.no_speech_threshold",
        ),
    ] {
        let error = Setup::new()
            .load_text(&format!("[transcribe]\n{text}\n"))
            .unwrap_err();
        assert_eq!(error.problems()[0].key, key, "{text}");
    }
}
