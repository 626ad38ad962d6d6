//! The key of the webhook that the bridge registers itself.

use model::{Clock, NumberId};
use secrecy::{ExposeSecret as _, SecretString};
use store::Store;

use crate::nouns::START;

#[tokio::test]
async fn the_first_key_of_a_number_is_kept_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (
        NumberId::new("100000000000001").unwrap(),
        NumberId::new("100000000000002").unwrap(),
    );
    let key = |text: &str| SecretString::from(text.to_owned());
    let store = Store::open(dir.path(), Clock::standing_at(START))
        .await
        .unwrap();
    let first = store.webhook_secret(&one, key("first")).await.unwrap();
    assert_eq!(first.expose_secret(), "first");
    store.close().await;

    let store = Store::open(dir.path(), Clock::standing_at(START))
        .await
        .unwrap();
    let kept = store.webhook_secret(&one, key("second")).await.unwrap();
    assert_eq!(kept.expose_secret(), "first");
    let of_other = store.webhook_secret(&other, key("third")).await.unwrap();
    assert_eq!(of_other.expose_secret(), "third");
}
