//! Which messages of the customers are still unanswered.
//!
//! A read receipt names the last message that an answer will be about, so an answer settles all that was read
//! before it. Without read receipts each answer settles the oldest message.

use model::MessageId;

#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<Unanswered>);

#[derive(Debug)]
struct Unanswered {
    customer: String,
    message: MessageId,
    read: bool,
}

impl Waiting {
    pub(super) fn wrote(&mut self, customer: String, message: MessageId) {
        self.0.push(Unanswered {
            customer,
            message,
            read: false,
        });
    }

    /// Takes a read receipt; true when it is the first for its message.
    pub(super) fn read(&mut self, customer: &str, message: &MessageId) -> bool {
        let Some(last) = self.0.iter().position(|it| it.message == *message) else {
            return false;
        };
        let first = !self.0[last].read;
        let earlier = self.0[..=last].iter_mut();
        for unanswered in earlier.filter(|it| it.customer == customer) {
            unanswered.read = true;
        }
        first
    }

    pub(super) fn answered(&mut self, customer: &str) {
        let before = self.0.len();
        self.0.retain(|it| !(it.read && it.customer == customer));
        if self.0.len() == before
            && let Some(oldest) = self.0.iter().position(|it| it.customer == customer)
        {
            self.0.remove(oldest);
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_messages() -> (Waiting, [MessageId; 3]) {
        let ids = ["a", "b", "c"].map(|id| MessageId::new(id).unwrap());
        let mut waiting = Waiting::default();
        for id in &ids {
            waiting.wrote("+15551234567".to_owned(), id.clone());
        }
        (waiting, ids)
    }

    #[test]
    fn an_answer_settles_what_was_read() {
        let (mut waiting, ids) = three_messages();
        assert!(waiting.read("+15551234567", &ids[1]));
        assert!(!waiting.read("+15551234567", &ids[1]));
        waiting.answered("+15550000000");
        assert_eq!(waiting.count(), 3);
        waiting.answered("+15551234567");
        assert_eq!(waiting.count(), 1);
    }

    #[test]
    fn without_receipts_each_answer_settles_one() {
        let (mut waiting, _) = three_messages();
        for left in [2, 1, 0, 0] {
            waiting.answered("+15551234567");
            assert_eq!(waiting.count(), left);
        }
        assert!(waiting.is_over());
    }
}
