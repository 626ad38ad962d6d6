//! A place in a file, and how it is known again.
//!
//! A place is an offset together with the bytes just before it. The gateway rewrites transcripts in place, so that
//! neither the inode nor a growing length shows whether an offset still means what it meant; those bytes do, for
//! every line ends in a timestamp or a response id.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

/// How many bytes before a place are kept.
const WINDOW: usize = 64;

/// How many bytes of a digest are written down.
const CHECK: usize = 8;

/// An offset, and the bytes before it.
#[derive(Debug, Clone)]
pub(super) struct Position {
    pub(super) offset: u64,
    bytes: [u8; WINDOW],
    kept: usize,
}

impl Position {
    /// The beginning of a file.
    pub(super) const START: Self = Self {
        offset: 0,
        bytes: [0; WINDOW],
        kept: 0,
    };

    /// The place `offset` in `file`; none when the file is shorter.
    pub(super) fn at(file: &File, offset: u64) -> io::Result<Option<Self>> {
        let kept = usize::try_from(offset).unwrap_or(WINDOW).min(WINDOW);
        let mut bytes = [0; WINDOW];
        let read = read_at(file, &mut bytes[..kept], offset - kept as u64)?;
        Ok((read == kept).then_some(Self {
            offset,
            bytes,
            kept,
        }))
    }

    /// The bytes before the place.
    pub(super) fn before(&self) -> &[u8] {
        &self.bytes[..self.kept]
    }

    /// The place after `passed`, which follows this one.
    pub(super) fn after(&self, passed: &[u8]) -> Self {
        let mut bytes = [0; WINDOW];
        let new = passed.len().min(WINDOW);
        let old = self.kept.min(WINDOW - new);
        bytes[..old].copy_from_slice(&self.bytes[self.kept - old..self.kept]);
        bytes[old..old + new].copy_from_slice(&passed[passed.len() - new..]);
        Self {
            offset: self.offset + passed.len() as u64,
            bytes,
            kept: old + new,
        }
    }

    /// A digest of the bytes before the place.
    pub(super) fn check(&self) -> String {
        hex::encode(&Sha256::digest(self.before())[..CHECK])
    }
}

/// Reads at `offset` until `into` is full or the file ends. How many bytes that were.
pub(super) fn read_at(file: &File, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match file.read_at(&mut into[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_place_is_the_same_however_it_was_reached() {
        let text: Vec<u8> = (0..200).collect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, &text).unwrap();
        let file = File::open(path).unwrap();
        for end in [0_usize, 1, 63, 64, 65, 127, 200] {
            let read = Position::at(&file, end as u64).unwrap().unwrap();
            for step in [1, 7, 64, 100, 200] {
                let walked = text[..end]
                    .chunks(step)
                    .fold(Position::START, |place, chunk| place.after(chunk));
                assert_eq!(
                    (walked.offset, walked.before()),
                    (read.offset, read.before()),
                    "{end} by {step}"
                );
                assert_eq!(walked.check(), read.check());
            }
        }
        assert!(Position::at(&file, 201).unwrap().is_none());
    }
}
