//! Several business numbers behind one address: what a body brings counts for those whose secret signed it.

use kapso::webhook::{Kind, Pushed, Scope, read};
use model::{Arrival, IgnoreReason, NumberId};
use serde_json::{Value, json};

use super::{only_message, recorded};
use crate::data::{NOW, body, number};

pub(super) fn id(text: &str) -> NumberId {
    NumberId::new(text).unwrap()
}

fn push(scope: Scope<'_>, body: &Value) -> Pushed {
    read(scope, None, body.to_string().as_bytes(), NOW)
}

/// A recorded body that names `number`, or none.
fn naming(name: &str, number: Option<&str>) -> Value {
    let mut body = body(name);
    if body["entry"].is_array() {
        body["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = json!(number);
    } else {
        body["phone_number_id"] = json!(number);
        body["conversation"]["phone_number_id"] = json!(number);
    }
    body
}

#[test]
fn where_numbers_share_a_secret_the_body_tells_which_one_it_is() {
    let (one, others) = (number(), [id("222"), id("333")]);
    let scope = Scope {
        number: &one,
        beside: &others,
        unproven: &[],
    };
    for name in ["received", "meta_message"] {
        for expected in [&one, &others[0], &others[1]] {
            let pushed = push(scope, &naming(name, Some(expected.as_str())));
            assert_eq!(&only_message(pushed).number, expected, "{name}");
        }
        let unnamed = push(scope, &naming(name, None));
        assert_eq!(unnamed.unnamed, 1, "{name}");
        let [(own_id, Some(IgnoreReason::Malformed(_)))] = recorded(&unnamed)[..] else {
            panic!("{name}: {unnamed:?}")
        };
        assert!(
            own_id.starts_with("sha256:"),
            "the true message is not known by it: {own_id}"
        );
    }
    let mut of_the_account = naming("meta_message", None);
    of_the_account["entry"][0]["changes"][0]["field"] = json!("account_update");
    let pushed = push(scope, &of_the_account);
    assert_eq!((pushed.unnamed, pushed.arrivals.len()), (0, 0));
    for name in ["sent", "meta_statuses"] {
        let pushed = push(scope, &naming(name, Some("333")));
        assert!(!pushed.receipts.is_empty(), "{name}");
        assert!(
            pushed.receipts.iter().all(|it| it.number == others[1]),
            "{name}"
        );
        let unnamed = push(scope, &naming(name, None));
        assert_eq!((unnamed.unnamed, unnamed.receipts.len()), (1, 0), "{name}");
    }
}

#[test]
fn what_names_a_number_whose_secret_did_not_sign_it_is_not_believed_and_hides_nothing() {
    let (one, others) = (number(), [id("222")]);
    let scope = Scope {
        number: &one,
        beside: &[],
        unproven: &others,
    };
    for name in ["received", "meta_message"] {
        let pushed = push(scope, &naming(name, Some("222")));
        let [Arrival::Ignored(ignored)] = pushed.arrivals.as_slice() else {
            panic!("{name}: {pushed:?}")
        };
        assert_eq!(ignored.reason, IgnoreReason::OtherNumber, "{name}");
        // Not under 222: the true message is still new there.
        assert_eq!(ignored.number, one, "{name}");
        assert_eq!(pushed.unproven.iter().collect::<Vec<_>>(), [&others[0]]);
        assert_eq!(only_message(push(scope, &naming(name, None))).number, one);
    }
    for name in ["sent", "meta_statuses", "meta_echo_of_phone"] {
        let pushed = push(scope, &naming(name, Some("222")));
        assert_eq!(pushed.receipts, [], "{name}");
        assert!(pushed.elsewhere > 0, "{name}");
        assert!(pushed.unproven.contains(&others[0]), "{name}");
    }
    let foreign = push(scope, &naming("received", Some("999")));
    let [Arrival::Ignored(ignored)] = foreign.arrivals.as_slice() else {
        panic!("{foreign:?}")
    };
    assert_eq!(ignored.number.as_str(), "999");
    assert!(foreign.unproven.is_empty());
}

#[test]
fn a_batch_may_be_about_several_numbers() {
    let (one, beside, unproven) = (number(), [id("222")], [id("333")]);
    let scope = Scope {
        number: &one,
        beside: &beside,
        unproven: &unproven,
    };
    let items: Vec<Value> = [Some(one.as_str()), Some("222"), Some("333"), None]
        .into_iter()
        .enumerate()
        .map(|(n, number)| {
            let mut item = naming("received", number);
            item["message"]["id"] = json!(format!("wamid.{n}"));
            item
        })
        .collect();
    let pushed = push(scope, &json!({"batch": true, "data": items}));
    assert_eq!(pushed.kind, Kind::Batch);
    let numbers: Vec<&str> = pushed
        .arrivals
        .iter()
        .map(|arrival| match arrival {
            Arrival::Message(inbound) => inbound.number.as_str(),
            Arrival::Ignored(ignored) => ignored.reason.name(),
        })
        .collect();
    assert_eq!(numbers, [one.as_str(), "222", "other_number", "malformed"]);
    assert_eq!((pushed.unnamed, pushed.unproven.len()), (1, 1));
}
