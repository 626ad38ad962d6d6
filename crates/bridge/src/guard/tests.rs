//! Who is let in, under every mode.

use std::collections::BTreeMap;

use model::{MessageId, Source, UserId};

use super::*;

const ANN: &str = "+54 9 11 5555 1234";

fn number() -> NumberId {
    NumberId::new("1").unwrap()
}

fn role_named(name: &str) -> Role {
    Role(name.to_owned())
}

fn guard(strangers: Strangers, listed: &[(&str, &str)]) -> Guard {
    let listed = listed.iter().map(|(name, role)| {
        let identity = Identity::new(name).unwrap().canonical();
        (identity, role_named(role))
    });
    let policy = Policy {
        strangers,
        roles: listed.collect(),
        rate_limit: 10,
        window: Duration::from_secs(60),
        over_limit: OverLimit::Wait,
        deny_message: String::new(),
        commands: BTreeMap::from([(role_named("admin"), vec!["/status".to_owned()])]),
    };
    Guard::new([(number(), policy)], Approvals::default(), Rules::default())
}

fn closed() -> Guard {
    guard(Strangers::Refused, &[(ANN, "admin")])
}

pub(crate) fn from(sender: &str, content: Content) -> Inbound {
    Inbound {
        number: number(),
        id: MessageId::new("wamid.1").unwrap(),
        from: Identity::new(sender).unwrap(),
        user: None,
        known_as: None,
        name: None,
        sent_at: Timestamp::from_seconds(1),
        content,
        quoted: None,
        forwarded: false,
        source: Source::Poll,
    }
}

pub(crate) fn text(body: &str) -> Content {
    Content::Text { body: body.into() }
}

fn role(guard: &Guard, inbound: &Inbound) -> Option<String> {
    match guard.judge(inbound, ()) {
        Verdict::Admitted(admitted) => Some(admitted.role().to_string()),
        Verdict::Refused | Verdict::Unpaired | Verdict::NoQuestion(_) => None,
    }
}

#[test]
fn c10_any_spelling_of_a_listed_number_is_admitted() {
    for spelling in ["541155551234", "5491155551234", "+54 9 11 5555-1234"] {
        let known = role(&closed(), &from(spelling, text("hi")));
        assert_eq!(known.as_deref(), Some("admin"), "{spelling}");
    }
}

#[test]
fn a_stranger_is_refused_and_an_empty_list_admits_nobody() {
    let stranger = from("+15551234567", text("hi"));
    assert_eq!(role(&closed(), &stranger), None);
    let nobody = guard(Strangers::Refused, &[]);
    assert_eq!(role(&nobody, &from(ANN, text("hi"))), None);
    let open = guard(Strangers::Admitted(role_named("guest")), &[]);
    assert_eq!(role(&open, &stranger).as_deref(), Some("guest"));
}

#[test]
fn a_profile_name_opens_no_door() {
    for name in [ANN, "5491155551234", "admin", "[role: admin]"] {
        let stranger = Inbound {
            name: Some(name.to_owned()),
            ..from("+15551234567", text("hi"))
        };
        assert_eq!(role(&closed(), &stranger), None, "{name}");
    }
}

#[test]
fn a_number_that_is_not_configured_lets_nobody_in() {
    let elsewhere = Inbound {
        number: NumberId::new("2").unwrap(),
        ..from(ANN, text("hi"))
    };
    assert_eq!(role(&closed(), &elsewhere), None);
}

#[test]
fn c9_a_user_id_never_matches_by_its_digits() {
    let listed = guard(Strangers::Refused, &[("+1234567890", "admin")]);
    for sender in ["US.1234567890", "MX.ab12c3", "US.xy1z23"] {
        assert_eq!(role(&listed, &from(sender, text("hi"))), None, "{sender}");
    }
}

#[test]
fn a_person_is_known_by_either_name() {
    let user = "AR.1049384756102";
    let by_user = guard(Strangers::Refused, &[(user, "member")]);
    let both = Inbound {
        user: Some(UserId::new(user).unwrap()),
        ..from(ANN, text("hi"))
    };
    assert_eq!(role(&by_user, &both).as_deref(), Some("member"));
    let linked = match Identity::new(ANN).unwrap() {
        Identity::Phone(phone) => Inbound {
            known_as: Some(phone),
            ..from(user, text("hi"))
        },
        Identity::User(_) => unreachable!(),
    };
    assert_eq!(role(&closed(), &linked).as_deref(), Some("admin"));
    assert_eq!(role(&closed(), &from(user, text("hi"))), None);
}

#[test]
fn pairing_refuses_until_the_operator_approves() {
    let message = "{code}".to_owned();
    let pairing = guard(Strangers::Paired { message }, &[]);
    let asking = from("+15551234567", text("hi"));
    assert!(matches!(pairing.judge(&asking, ()), Verdict::Unpaired));
    pairing
        .approvals
        .approve(&asking.chat(), role_named("member"));
    assert_eq!(role(&pairing, &asking).as_deref(), Some("member"));
    assert_eq!(pairing.role(&asking.chat()), Some(role_named("member")));
    pairing.approvals.revoke(&asking.chat());
    assert_eq!(role(&pairing, &asking), None);
}

#[test]
fn an_approval_counts_under_either_name() {
    let user = UserId::new("AR.1049384756102").unwrap();
    let pairing = guard(
        Strangers::Paired {
            message: "{code}".to_owned(),
        },
        &[],
    );
    let by_id = from(user.as_str(), text("hi"));
    pairing
        .approvals
        .approve(&by_id.chat(), role_named("member"));
    let with_both = Inbound {
        user: Some(user),
        ..from(ANN, text("hi"))
    };
    assert_eq!(role(&pairing, &with_both).as_deref(), Some("member"));
}

#[test]
fn the_list_counts_more_than_an_approval_and_an_allowlist_knows_none() {
    let (ann, bob) = (from(ANN, text("hi")), from("+15551234567", text("hi")));
    for strangers in [Strangers::Refused, Strangers::Admitted(role_named("open"))] {
        let open = strangers != Strangers::Refused;
        let guard = guard(strangers, &[(ANN, "admin")]);
        for inbound in [&ann, &bob] {
            guard
                .approvals
                .approve(&inbound.chat(), role_named("guest"));
        }
        assert_eq!(role(&guard, &ann).as_deref(), Some("admin"));
        assert_eq!(role(&guard, &bob).as_deref(), open.then_some("guest"));
    }
}

#[test]
fn a_reaction_is_no_question_and_a_stranger_learns_nothing_by_one() {
    let reaction = || Content::Reaction {
        to: MessageId::new("wamid.2").unwrap(),
        emoji: None,
    };
    assert!(matches!(
        closed().judge(&from(ANN, reaction()), ()),
        Verdict::NoQuestion(_)
    ));
    assert!(matches!(
        closed().judge(&from("+15551234567", reaction()), ()),
        Verdict::Refused
    ));
}

#[test]
fn over_the_limit_a_message_waits_or_is_dropped() {
    let chat = from(ANN, text("hi")).chat();
    let now = Timestamp::from_seconds(1000);
    let mut dropping = closed();
    if let Some(gate) = dropping.numbers.get_mut(&number()) {
        gate.policy.over_limit = OverLimit::Drop;
    }
    let waiting = closed();
    for _ in 0..10 {
        assert_eq!(
            (waiting.pace(&chat, now), dropping.pace(&chat, now)),
            (Ok(()), Ok(()))
        );
    }
    assert_eq!(
        waiting.pace(&chat, now),
        Err(Over::Wait(Duration::from_secs(6)))
    );
    assert_eq!(dropping.pace(&chat, now), Err(Over::Drop));
}

#[test]
fn only_a_listed_command_of_a_role_is_one() {
    let closed = closed();
    let policy = closed.policy(&number()).unwrap();
    let command = |role: &str, body: &str| {
        let inbound = from(ANN, text(body));
        let command = policy.command(&role_named(role), &inbound);
        command.map(|(command, rest)| (command, rest.to_owned()))
    };
    let status = |rest: &str| Some(("/status".to_owned(), rest.to_owned()));
    assert_eq!(command("admin", " /Status "), status(""));
    assert_eq!(command("admin", "/status\n/exec x"), status("/exec x"));
    assert_eq!(command("admin", "/new"), None);
    assert_eq!(command("admin", "say /status"), None);
    assert_eq!(command("member", "/status"), None);
}
