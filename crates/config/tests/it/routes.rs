//! Routes: who is answered where.

use config::{Route, Target};
use model::{Identity, NumberId, Role, SessionKey};

use crate::{Setup, problem, problems};

const SETTING: &str = r#"
[security.roles]
admin = ["+15551234567"]
[[numbers]]
phone_number_id = "77"
name = "sales"
[numbers.security.roles]
seller = ["+15557654321"]
"#;

/// The line of [`SETTING`] after which routes begin.
const BEFORE: usize = 8;

fn routes(text: &str) -> Vec<Route> {
    Setup::new()
        .load_text(&format!("{SETTING}{text}"))
        .unwrap()
        .routes
}

/// The problem with one route, counted from its `[[routes]]`.
fn wrong(route: &str) -> String {
    let shown = problem(&format!("{SETTING}[[routes]]\n{route}\n"));
    let (line, rest) = shown.split_once(':').unwrap();
    format!("{}:{rest}", line.parse::<usize>().unwrap() - BEFORE)
}

#[test]
fn the_most_specific_route_comes_first() {
    let text = r#"
[[routes]]
number = "sales"
agent = "a"
[[routes]]
number = "1234"
role = "admin"
agent = "b"
[[routes]]
sender = "+54 9 11 5555-1234"
agent = "c"
[[routes]]
role = "admin"
agent = "d"
[[routes]]
sender = ["US.1", "US.2"]
number = "77"
agent = "E"
"#;
    let found = routes(text);
    let agents: Vec<_> = found
        .iter()
        .map(|route| match &route.target {
            Target::Agent(agent) => agent.as_str(),
            Target::Session(_) => "session",
        })
        .collect();
    assert_eq!(agents, ["e", "c", "b", "d", "a"]);
    assert_eq!(
        found[0].number,
        Some(NumberId::new("77").unwrap()),
        "named by its id"
    );
    assert_eq!(
        found[4].number,
        Some(NumberId::new("77").unwrap()),
        "named by its name"
    );
    assert_eq!(
        found[1].senders,
        [Identity::new("+541155551234").unwrap()],
        "in canonical form"
    );
    assert_eq!(found[2].role, Some(Role("admin".to_owned())));
}

#[test]
fn a_route_leads_to_an_agent_or_into_a_session() {
    let session = |text: &str| {
        let found = routes(&format!(
            "[[routes]]\nrole = \"admin\"\nsession = \"{text}\"\n"
        ));
        found[0].target.clone()
    };
    let key = |text: &str| Target::Session(SessionKey::new(text).unwrap());
    assert_eq!(session("agent:sales:Desk"), key("agent:sales:desk"));
    assert_eq!(session("desk"), key("agent:main:desk"));
    assert_eq!(
        wrong("role = \"admin\""),
        "1: routes has a route to nothing; add agent or session"
    );
    assert_eq!(
        wrong("role = \"admin\"\nagent = \"a\"\nsession = \"b\""),
        "1: routes has a route to an agent and a session; leave one of the two"
    );
    assert!(
        wrong("role = \"admin\"\nagent = \"a b\"")
            .starts_with("3: routes.agent names the agent \"a b\"")
    );
    assert!(
        wrong("role = \"admin\"\nsession = \"global\\u0007\"")
            .starts_with("3: routes.session contains")
    );
}

#[test]
fn k2_a_route_from_nowhere_names_the_nearest() {
    assert_eq!(
        wrong("number = \"slaes\"\nagent = \"a\""),
        "2: routes.number is \"slaes\", which is not configured; write one of 1234, 77, sales; the nearest one is sales"
    );
    assert_eq!(
        wrong("agent = \"a\"\nrole = \"admni\""),
        "3: routes.role names the role admni, which nobody can have; write one of admin, seller; the nearest \
         one is admin"
    );
    assert!(
        wrong("number = \"sales\"\nrole = \"admin\"\nagent = \"a\"")
            .ends_with("which nobody can have; write seller"),
        "that number has roles of its own"
    );
    assert!(
        wrong("sender = [\"US.1\", \"ann\"]\nagent = \"a\"")
            .starts_with("2: routes.sender has \"ann\", which is neither")
    );
    assert_eq!(
        wrong("rol = \"admin\"\nrole = \"admin\"\nagent = \"a\""),
        "2: routes.rol is not a known key; the nearest one is routes.role"
    );
}

#[test]
fn a_route_says_whom_it_is_for() {
    assert!(
        wrong("agent = \"a\"")
            .starts_with("1: routes has a route without a criterion; add number, sender or role")
    );
    assert!(
        wrong("sender = []\nagent = \"a\"").contains("has a route with an empty list of senders")
    );
}

#[test]
fn two_routes_with_the_same_criteria_are_refused() {
    let two = |first: &str, second: &str| {
        let route = |criteria: &str| format!("[[routes]]\n{criteria}\nagent = \"a\"\n");
        Setup::new().load_text(&format!("{SETTING}{}{}", route(first), route(second)))
    };
    let error = two("number = \"sales\"", "number = \"77\"").unwrap_err();
    let [problem] = error.problems() else {
        panic!("{error}")
    };
    let shown = problem.to_string();
    assert!(
        shown.contains(&format!(
            "config.toml:{}: routes has the criteria of another route (",
            BEFORE + 4
        )) && shown.contains(&format!("config.toml:{})", BEFORE + 1)),
        "{shown}"
    );
    let error = two(
        "sender = [\"US.1\", \"+5491155551234\"]",
        "sender = \"+541155551234\"",
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("another route for +541155551234 ("),
        "{error}"
    );
    for (first, second) in [
        ("sender = \"US.1\"", "sender = \"US.2\""),
        ("sender = \"US.1\"", "sender = \"US.1\"\nrole = \"admin\""),
        ("number = \"sales\"", "number = \"1234\""),
    ] {
        assert!(two(first, second).is_ok(), "{first} / {second}");
    }
}

#[test]
fn in_pairing_mode_a_route_may_be_for_any_role() {
    let route = "[[routes]]\nrole = \"vip\"\nagent = \"a\"\n";
    assert!(
        problem(route).contains("which nobody can have; give it to someone in [security.roles]")
    );
    let paired = format!("[security]\nmode = \"pairing\"\n{route}");
    assert_eq!(Setup::new().load_text(&paired).unwrap().routes.len(), 1);
}

#[test]
fn all_problems_of_routes_are_told_at_once() {
    let bad = "[[routes]]\nrole = \"x\"\nnumber = \"y\"\n[[routes]]\nagent = \"a\"\n";
    let keys: Vec<_> = problems(bad)
        .into_iter()
        .map(|problem| problem.key)
        .collect();
    assert_eq!(keys, ["routes.number", "routes.role", "routes", "routes"]);
}
