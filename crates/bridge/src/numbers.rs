//! The business numbers that one process answers for, each with its own client.
//!
//! There is at least one. A number that is not among them is not an error: its rows wait in the journal.

use kapso::{Client, Quota};
use model::NumberId;

/// A business number of this process.
#[derive(Debug, Clone)]
pub struct Number {
    /// What the operator calls it; its id, where they do not.
    pub name: String,
    /// What reads and sends for it.
    pub kapso: Client,
}

impl Number {
    /// A number that is called by its id.
    pub fn new(kapso: Client) -> Self {
        Self {
            name: kapso.number().to_string(),
            kapso,
        }
    }

    /// Meta's id of it.
    pub fn id(&self) -> &NumberId {
        self.kapso.number()
    }
}

/// All business numbers of this process, in the order of the configuration.
#[derive(Debug, Clone)]
pub struct Numbers {
    first: Number,
    others: Vec<Number>,
}

impl Numbers {
    /// `first` and `others`. Of two with the same id, the earlier one counts.
    pub fn new(first: Number, others: Vec<Number>) -> Self {
        let mut numbers = Self {
            first,
            others: Vec::new(),
        };
        for other in others {
            if numbers.of(other.id()).is_none() {
                numbers.others.push(other);
            }
        }
        numbers
    }

    /// The client that speaks for `number`; none where it is not configured.
    pub fn of(&self, number: &NumberId) -> Option<&Client> {
        self.iter().find(|of| of.id() == number).map(|of| &of.kapso)
    }

    /// The one that is configured first.
    pub fn first(&self) -> &Number {
        &self.first
    }

    /// Each of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Number> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// What is left of the plan's requests per minute: the least, where the numbers are of several accounts.
    pub(crate) fn quota(&self) -> Option<Quota> {
        self.iter()
            .filter_map(|number| number.kapso.quota())
            .min_by_key(|quota| quota.remaining)
    }
}

impl From<Client> for Numbers {
    /// One number alone.
    fn from(kapso: Client) -> Self {
        Self::new(Number::new(kapso), Vec::new())
    }
}
