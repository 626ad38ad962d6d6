//! The customers at the phone, and who of them is on the allowlist.

use std::sync::{Mutex, MutexGuard, PoisonError};

use model::Identity;
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};

/// Customers of one phone; nobody is added after so many.
const MOST: usize = 200;

/// Changes kept for a slow page; one that lags further behind is told everything again.
const CHANGES: usize = 64;

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The profile name.
    pub name: String,
    /// The number or the user id that they write under.
    pub id: Identity,
    /// Whether the bridge lets them in.
    pub allowed: bool,
}

impl Person {
    /// The name under which the stand-in files what they write.
    pub(super) fn key(&self) -> String {
        self.id.canonical().to_string()
    }

    /// As the page wants it.
    pub(super) fn shown(&self) -> Value {
        json!({
            "key": self.key(),
            "name": self.name,
            "id": self.id.to_string(),
            "allowed": self.allowed,
        })
    }
}

/// No more customers fit in.
#[derive(Debug, thiserror::Error)]
#[error("there are {MOST} customers already")]
pub(super) struct Crowded;

/// All of them, in the order in which they came. The lock never leaves this file.
pub(super) struct People {
    all: Mutex<Vec<Person>>,
    changed: broadcast::Sender<Person>,
    allowed: watch::Sender<Vec<Identity>>,
}

impl People {
    pub(super) fn new(all: Vec<Person>) -> Self {
        Self {
            allowed: watch::Sender::new(allowed(&all)),
            changed: broadcast::Sender::new(CHANGES),
            all: Mutex::new(all),
        }
    }

    /// Adds a customer, or changes the one of this number.
    ///
    /// # Errors
    /// [`Crowded`].
    pub(super) fn put(&self, person: Person) -> Result<(), Crowded> {
        let mut all = self.lock();
        let known = all.iter().position(|one| one.key() == person.key());
        match known {
            Some(place) => all[place] = person.clone(),
            None if all.len() == MOST => return Err(Crowded),
            None => all.push(person.clone()),
        }
        let list = allowed(&all);
        self.allowed.send_if_modified(|known| {
            let differs = *known != list;
            *known = list;
            differs
        });
        // An error means only that no page is open.
        let _ = self.changed.send(person);
        Ok(())
    }

    pub(super) fn find(&self, id: &Identity) -> Option<Person> {
        let key = id.canonical();
        let all = self.lock();
        all.iter().find(|one| one.id.canonical() == key).cloned()
    }

    pub(super) fn all(&self) -> Vec<Person> {
        self.lock().clone()
    }

    pub(super) fn changes(&self) -> broadcast::Receiver<Person> {
        self.changed.subscribe()
    }

    pub(super) fn allowed(&self) -> watch::Receiver<Vec<Identity>> {
        self.allowed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Person>> {
        // Nothing is done under the lock that could leave it half changed.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn allowed(all: &[Person]) -> Vec<Identity> {
    let listed = all.iter().filter(|person| person.allowed);
    listed.map(|person| person.id.canonical()).collect()
}
