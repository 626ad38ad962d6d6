//! The words of sounds that were heard lately, by the content of the sound.

use std::collections::HashMap;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

/// The most sounds whose words are remembered. When it is full, what was heard first is forgotten.
const MOST: usize = 256;

pub(crate) type Hash = [u8; 32];

pub(crate) fn hash(sound: &[u8]) -> Hash {
    Sha256::digest(sound).into()
}

#[derive(Debug)]
pub(crate) struct Memory {
    heard: HashMap<Hash, (Instant, String)>,
    lives: Duration,
}

impl Memory {
    pub(crate) fn new(lives: Duration) -> Self {
        Self {
            heard: HashMap::new(),
            lives,
        }
    }

    pub(crate) fn get(&self, hash: Hash, now: Instant) -> Option<String> {
        let (at, words) = self.heard.get(&hash)?;
        (now.duration_since(*at) < self.lives).then(|| words.clone())
    }

    pub(crate) fn put(&mut self, hash: Hash, words: &str, now: Instant) {
        let lives = self.lives;
        self.heard
            .retain(|_, (at, _)| now.duration_since(*at) < lives);
        if self.heard.len() >= MOST {
            let oldest = self.heard.iter().min_by_key(|(_, (at, _))| *at);
            if let Some(oldest) = oldest.map(|(hash, _)| *hash) {
                self.heard.remove(&oldest);
            }
        }
        self.heard.insert(hash, (now, words.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_remembered_for_their_time_and_not_without_end() {
        let start = Instant::now();
        let mut memory = Memory::new(Duration::from_secs(10));
        memory.put(hash(b"a"), "hello", start);
        let later = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(memory.get(hash(b"a"), later(9)).as_deref(), Some("hello"));
        assert_eq!(memory.get(hash(b"a"), later(10)), None);
        for n in 0..=MOST {
            memory.put(hash(&n.to_be_bytes()), "x", later(1));
        }
        assert_eq!(memory.heard.len(), MOST);
        assert_eq!(memory.get(hash(b"a"), start), None);
    }
}
