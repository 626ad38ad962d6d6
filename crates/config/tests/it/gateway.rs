//! The agent and the form of session keys.

use crate::{Setup, problem};

#[test]
fn a_session_key_that_names_no_agent_is_the_configured_ones() {
    let key = |text: &str| {
        let setup = Setup::new().set("GATEWAY_AGENT", "Sales");
        let gateway = setup.load_text(text).unwrap().gateway;
        (gateway.agent, gateway.session_key.to_string())
    };
    assert_eq!(key(""), ("sales".to_owned(), "agent:sales:main".to_owned()));
    let (_, explicit) = key("[gateway]\nsession_key = \"agent:other:desk\"\n");
    assert_eq!(explicit, "agent:other:desk");
    assert!(
        problem("[gateway]\nagent = \"a:b\"\n").contains("names the agent \"a:b\"; use up to 64")
    );
}

#[test]
fn k2_an_unknown_placeholder_names_the_nearest() {
    let template = |text: &str| format!("[gateway]\nsession_template = \"{text}\"\n");
    assert_eq!(
        problem(&template("agent:{agnet}:{phone}")),
        "2: gateway.session_template has \"{agnet}\", which is not known; write one of {agent}, {phone}, {id}, \
         {number}; the nearest one is {agent}"
    );
    for alone in ["agent:{agent}:{phone", "agent:agent}:{phone}"] {
        assert!(
            problem(&template(alone)).contains("with a brace alone"),
            "{alone}"
        );
    }
    assert!(problem(&template(&"{phone}".repeat(20))).contains("is longer than 100"));
    let good = "agent:{agent}:whatsapp:direct:{phone}";
    let config = Setup::new().load_text(&template(good)).unwrap();
    assert_eq!(config.gateway.session_template.unwrap().as_str(), good);
    assert!(
        Setup::new()
            .load()
            .unwrap()
            .gateway
            .session_template
            .is_none()
    );
}

#[test]
fn a_template_for_everyone_is_refused_where_senders_have_sessions_of_their_own() {
    let shared = "[gateway]\nsession_template = \"agent:{agent}:{number}\"\n";
    let shown = problem(shared);
    assert!(
        shown.starts_with("2: gateway.session_template gives all senders one session"),
        "{shown}"
    );
    let off = format!("{shared}[security]\nsession_isolation = false\n");
    assert!(Setup::new().load_text(&off).is_ok());
    let on_again = format!(
        "{off}[[numbers]]\nphone_number_id = \"7\"\nsecurity = {{ session_isolation = true }}\n"
    );
    assert!(problem(&on_again).contains("gives all senders one session"));
}
