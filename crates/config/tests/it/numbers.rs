//! Several business numbers in one process.

use config::{Config, SecurityMode};
use model::{Identity, Role};
use secrecy::ExposeSecret;

use crate::{Setup, problem, problems};

const TWO: &str = r#"
[webhook]
secret = "shared"
[security]
rate_limit = 3
[security.roles]
admin = ["+15551234567"]
[[numbers]]
phone_number_id = "77"
name = "sales"
webhook_secret = "its-own"
[numbers.security]
mode = "open"
default_role = "customer"
[numbers.security.roles]
seller = ["+15557654321"]
[[numbers]]
phone_number_id = "88"
"#;

fn secrets(config: &Config) -> Vec<&str> {
    let secret = |number: &'_ config::Number| number.secret.is_some();
    assert!(config.numbers.iter().all(secret));
    let secrets = config
        .numbers
        .iter()
        .filter_map(|number| number.secret.as_ref());
    secrets.map(|secret| secret.expose_secret()).collect()
}

#[test]
fn every_number_has_its_name_its_secret_and_its_policy() {
    let config = Setup::new().load_text(TWO).unwrap();
    let named: Vec<_> = config
        .numbers
        .iter()
        .map(|number| (number.id.as_str(), number.name.as_str()))
        .collect();
    assert_eq!(named, [("1234", "1234"), ("77", "sales"), ("88", "88")]);
    assert_eq!(secrets(&config), ["shared", "its-own", "shared"]);

    let [first, sales, other] = config.numbers.as_slice() else {
        panic!("{named:?}")
    };
    assert_eq!(first.security, config.security);
    assert_eq!(other.security, config.security);
    assert_eq!(sales.security.mode, SecurityMode::Open);
    assert_eq!(sales.security.default_role, Role("customer".to_owned()));
    assert_eq!(
        sales.security.rate_limit, 3,
        "what it does not say is as for all"
    );
    let roles: Vec<_> = sales
        .security
        .roles
        .keys()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        roles,
        ["+15557654321"],
        "its roles replace the others altogether"
    );
}

#[test]
fn without_a_list_there_is_the_one_number() {
    let config = Setup::new().load().unwrap();
    let [number] = config.numbers.as_slice() else {
        panic!("{:?}", config.numbers)
    };
    assert_eq!(number.id, config.kapso.phone_number_id);
}

#[test]
fn listed_numbers_are_enough() {
    let setup = Setup::bare().set("KAPSO_API_KEY", "key");
    let config = setup.load_text(TWO).unwrap();
    assert_eq!(config.numbers.len(), 2);
    assert_eq!(
        config.kapso.phone_number_id.as_str(),
        "77",
        "the first is meant where none is named"
    );
    let error = setup.load_text("").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("kapso.phone_number_id is not set"),
        "{error}"
    );
}

#[test]
fn a_number_or_a_name_that_stands_twice_is_refused() {
    let numbers = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| format!("[[numbers]]\n{line}\n"))
            .collect::<String>()
    };
    let whole = |lines: &[&str]| {
        let problems = problems(&numbers(lines));
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].to_string()
    };
    let own = whole(&["phone_number_id = \"1234\""]);
    assert!(
        own.ends_with(
            "numbers.phone_number_id is 1234, which is already a number \
         (KAPSO_PHONE_NUMBER_ID); leave one of them"
        ),
        "{own}"
    );
    let twice = whole(&[
        "phone_number_id = \"7\"",
        "phone_number_id = \"7\"\nname = \"b\"",
    ]);
    assert!(
        twice.contains("config.toml:4: numbers.phone_number_id is 7, ")
            && twice.contains("config.toml:1)"),
        "{twice}"
    );
    for second in ["\"8\"\nname = \"a\"", "\"8\"\nname = \"7\""] {
        let named = whole(&[
            "phone_number_id = \"7\"\nname = \"a\"",
            &format!("phone_number_id = {second}"),
        ]);
        assert!(
            named.contains("config.toml:6: numbers.name is ")
                && named.contains("give each number a name"),
            "{named}"
        );
    }
}

#[test]
fn numbers_are_checked_where_they_stand() {
    assert_eq!(
        problem("[[numbers]]\nname = \"a\"\n"),
        "1: numbers.phone_number_id is not set; add phone_number_id below it"
    );
    assert!(
        problem("[[numbers]]\nphone_number_id = \"+1 555\"\n")
            .starts_with("2: numbers.phone_number_id contains")
    );
    let policy = |line: &str| {
        problem(&format!(
            "[[numbers]]\nphone_number_id = \"7\"\n[numbers.security]\n{line}\n"
        ))
    };
    assert!(
        policy("mode = \"opne\"")
            .starts_with("4: numbers.security.mode is \"opne\", which is not known")
    );
    assert!(policy("rate_limit = 0").contains("from 1 to 100000"));
    assert!(policy("pairing_message = \"x\"").contains("without {code}"));
    assert!(
        policy("roles = { admin = [] }")
            .starts_with("4: numbers.security.roles.admin lists nobody")
    );
    let commands = "roles = { seller = [\"US.1\"] }\ngateway_commands = { admin = true }";
    assert!(
        policy(commands).ends_with(
            "gateway_commands names the role admin, which nobody can have; write seller"
        )
    );
    assert!(
        problem("[numbers]\nname = \"a\"\n").contains("write [[numbers]] on a line of its own")
    );
    assert!(problem("numbers = 5\n").contains("numbers is a list of sections"));
}

#[test]
fn c11_a_number_in_two_roles_of_one_business_number_is_an_error_that_names_both() {
    let text = "[[numbers]]\nphone_number_id = \"7\"\n[numbers.security.roles]\nadmin = [\"+15551234567\"]\n\
                guest = [\"15551234567\"]\n";
    let whole = problems(text)[0].to_string();
    assert!(
        whole.contains(
            "config.toml:5: numbers.security.roles.guest has +15551234567, which is \
             also in the role admin ("
        ),
        "{whole}"
    );
    let of_two = "[security.roles]\nguest = [\"15551234567\"]\n".to_owned()
        + "[[numbers]]\nphone_number_id = \"7\"\n[numbers.security.roles]\nadmin = [\"+15551234567\"]\n";
    let config = Setup::new().load_text(&of_two).unwrap();
    let role = |at: usize| {
        let identity = Identity::new("+15551234567").unwrap();
        config.numbers[at].security.roles[&identity].0.clone()
    };
    assert_eq!(
        (role(0), role(1)),
        ("guest".to_owned(), "admin".to_owned()),
        "each number has its own"
    );
}

#[test]
fn k2_a_slip_in_a_number_names_the_nearest() {
    let slip = |text: &str| problem(&format!("[[numbers]]\nphone_number_id = \"7\"\n{text}\n"));
    assert_eq!(
        slip("nmae = \"a\""),
        "3: numbers.nmae is not a known key; the nearest one is numbers.name"
    );
    assert_eq!(
        slip("[numbers.securty]"),
        "3: numbers.securty is not a known section; the nearest one is numbers.security"
    );
    assert_eq!(
        slip("[numbers.security]\nrate_limt = 1"),
        "4: numbers.security.rate_limt is not a known key; the nearest one is numbers.security.rate_limit"
    );
    assert!(problem("[[number]]\nname = \"a\"\n").contains("the nearest one is numbers"));
}

#[test]
fn k1_a_numbers_secret_may_stand_in_a_file_of_its_own() {
    let text = "[[numbers]]\nphone_number_id = \"7\"\nwebhook_secret_file = \"$KEYS/sales\"\n";
    let setup = Setup::new().set("KAPSO_WEBHOOK_SECRET", "shared");
    let keys = setup.home("keys").display().to_string();
    let setup = setup.set("KEYS", &keys);
    let error = setup.load_text(text).unwrap_err().to_string();
    assert!(
        error.contains("config.toml:3: numbers.webhook_secret_file names ")
            && error.contains("cannot be read"),
        "{error}"
    );
    setup.write("keys/sales", "in-a-file\n");
    assert_eq!(
        secrets(&setup.load_text(text).unwrap()),
        ["shared", "in-a-file"]
    );
    let both = setup
        .load_text(&format!("{text}webhook_secret = \"t0p\"\n"))
        .unwrap_err()
        .to_string();
    assert!(
        both.contains("stands beside webhook_secret; remove one of the two")
            && !both.contains("t0p"),
        "{both}"
    );
}

#[test]
fn a_secret_of_the_wrong_type_is_not_repeated() {
    for value in ["5150", "[\"t0p\"]", "{ t0p = 1 }", "true"] {
        let shown = problem(&format!(
            "[[numbers]]\nphone_number_id = \"7\"\nwebhook_secret = {value}\n"
        ));
        assert!(shown.ends_with("write it in quotes"), "{shown}");
        assert!(!shown.contains("t0p") && !shown.contains("5150"), "{shown}");
    }
}
