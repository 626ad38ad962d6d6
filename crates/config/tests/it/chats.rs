//! What the agent is told about chats.

use model::Identity;

use crate::{Setup, problem};

#[test]
fn a_prompt_is_found_by_any_spelling_and_an_empty_one_is_kept() {
    let text = "[chats.\"+54 9 11 5555-1234\"]\nprompt = \"An old customer.\"\n[chats.\"US.1\"]\nprompt = \"\"\n\
                [chats.\"*\"]\nprompt = \"Anyone.\"\n";
    let chats = Setup::new().load_text(text).unwrap().chats;
    let of = |name: &str| {
        let identity = Identity::new(name).unwrap().canonical();
        chats.prompts.get(&identity).map(String::as_str)
    };
    assert_eq!(of("541155551234"), Some("An old customer."));
    assert_eq!(of("US.1"), Some(""), "it switches the default off");
    assert_eq!(of("+15551234567"), None);
    assert_eq!(chats.default.as_deref(), Some("Anyone."));
    let none = Setup::new()
        .load_text("[chats.\"*\"]\nprompt = \"\"\n")
        .unwrap();
    assert_eq!(none.chats.default, None);
}

#[test]
fn a_chat_is_one_person_once_with_a_prompt() {
    let shown = problem("[chats.ann]\nprompt = \"x\"\n");
    assert!(
        shown.starts_with("1: chats has \"ann\", which is neither"),
        "{shown}"
    );
    assert!(shown.ends_with("or \"*\" for everyone"), "{shown}");
    let twice =
        "[chats.\"+541155551234\"]\nprompt = \"x\"\n[chats.\"+5491155551234\"]\nprompt = \"y\"\n";
    let whole = crate::problems(twice)[0].to_string();
    assert!(
        whole.contains("config.toml:3: chats has +541155551234, which it already has (")
            && whole.contains("config.toml:1)"),
        "{whole}"
    );
    assert_eq!(
        problem("[chats.\"US.1\"]\n"),
        "1: chats.prompt is not set; add prompt below it"
    );
}

#[test]
fn k2_a_slip_in_a_chat_names_the_nearest() {
    let shown = crate::problems("[chats.\"US.1\"]\npromt = \"x\"\n");
    assert!(
        shown[0].to_string().ends_with(
            "config.toml:2: chats.promt is not a known key; the nearest one is chats.prompt"
        ),
        "{shown:?}"
    );
    let unnamed = problem("[chats]\nprompt = \"x\"\n");
    assert!(
        unnamed.contains("write [chats.\"+15551234567\"] on a line of its own"),
        "{unnamed}"
    );
}
