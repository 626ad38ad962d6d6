//! One transcript file, read as it grows.
//!
//! Only what was appended is read. When the bytes before the place are not the ones that were read (the file was
//! rewritten, truncated or replaced), it is read once from the start, and entries that are known are passed over.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::entry::{Entry, Name};
use super::folder::{self, Opened};
use super::place::{Position, read_at};
use super::recent::Recent;
use super::tally::Tally;

/// The longest line that is read; a longer one is passed over. Messages with pictures in them have megabytes.
const LONGEST_LINE: usize = 32 << 20;

/// How much is read at a time, and so at most parsed before the runtime gets its turn.
const CHUNK: usize = 256 << 10;

/// How far before the end of a file its last entries are looked for at first.
const LOOK_BACK: usize = 64 << 10;

/// An entry, and the place after its line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) entry: Entry,
    pub(super) end: Position,
}

/// A file, and how far it was read.
#[derive(Debug)]
pub(super) struct Tail {
    name: String,
    path: PathBuf,
    /// None: it does not exist yet, or no more.
    opened: Option<Opened>,
    /// After the last whole line.
    lines: Position,
    /// After the last byte read.
    end: Position,
    /// What was read of a line without its end.
    partial: Vec<u8>,
    /// The line that is being read is too long, its rest is passed over.
    skipping: bool,
}

impl Tail {
    /// The file `name`, to be read from its start.
    pub(super) fn at_start(name: String, path: PathBuf) -> Self {
        Self {
            name,
            path,
            opened: None,
            lines: Position::START,
            end: Position::START,
            partial: Vec::new(),
            skipping: false,
        }
    }

    /// The file `name`, read from its present end; its last entries become known to `recent`.
    pub(super) fn at_end(
        name: String,
        path: PathBuf,
        recent: &mut Recent,
        tally: &Tally,
    ) -> io::Result<Self> {
        let mut tail = Self::at_start(name, path);
        if let Some(opened) = folder::open(&tail.path)? {
            let length = opened.file.metadata()?.len();
            let end = look_back(&opened.file, length, recent, tally)?;
            tail.continue_at(opened, end.unwrap_or(Position::START));
        }
        Ok(tail)
    }

    /// Goes on reading `opened` after `place`, which is known to be the end of a line.
    pub(super) fn continue_at(&mut self, opened: Opened, place: Position) {
        self.opened = Some(opened);
        self.end = place.clone();
        self.lines = place;
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The place after the last whole line that was read.
    pub(super) fn position(&self) -> &Position {
        &self.lines
    }

    /// Reads on, at most [`CHUNK`] bytes. Whether there was anything to read.
    pub(super) fn read(
        &mut self,
        recent: &mut Recent,
        into: &mut VecDeque<Line>,
        tally: &Tally,
    ) -> io::Result<bool> {
        let Some(opened) = &self.opened else {
            return Ok(false);
        };
        let length = opened.file.metadata()?.len();
        let Some(new) = length.checked_sub(self.end.offset) else {
            self.rewind(recent, tally);
            return Ok(true);
        };
        let known = self.end.before().len();
        let mut bytes = vec![0; known + usize::try_from(new).unwrap_or(CHUNK).min(CHUNK)];
        let read = read_at(&opened.file, &mut bytes, self.end.offset - known as u64)?;
        tally.bytes(read);
        let Some(new) = bytes[..read].strip_prefix(self.end.before()) else {
            self.rewind(recent, tally);
            return Ok(true);
        };
        self.take(new, recent, into, tally);
        Ok(!new.is_empty())
    }

    /// Sees whether the name leads to another file now. The old one must have been read to its end before.
    pub(super) fn reopen(&mut self) -> io::Result<bool> {
        let there = folder::identify(&self.path)?;
        if there.is_none() || there == self.opened.as_ref().map(|opened| opened.id) {
            return Ok(false);
        }
        let Some(opened) = folder::open(&self.path)? else {
            return Ok(false);
        };
        self.opened = Some(opened);
        Ok(true)
    }

    fn rewind(&mut self, recent: &mut Recent, tally: &Tally) {
        tally.rewritten();
        self.lines = Position::START;
        self.end = Position::START;
        self.partial = Vec::new();
        self.skipping = false;
        recent.replay();
    }

    /// Cuts `bytes`, which follow the last byte read, into lines.
    fn take(
        &mut self,
        bytes: &[u8],
        recent: &mut Recent,
        into: &mut VecDeque<Line>,
        tally: &Tally,
    ) {
        let start = self.end.clone();
        let mut from = 0;
        while let Some(length) = bytes[from..].iter().position(|byte| *byte == b'\n') {
            let piece = &bytes[from..from + length];
            from += length + 1;
            self.lines = start.after(&bytes[..from]);
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if self.partial.is_empty() {
                self.line(piece, recent, into, tally);
            } else {
                let mut line = std::mem::take(&mut self.partial);
                line.extend_from_slice(piece);
                self.line(&line, recent, into, tally);
            }
        }
        self.end = start.after(bytes);
        let rest = &bytes[from..];
        if self.skipping {
            return;
        }
        if self.partial.len() + rest.len() > LONGEST_LINE {
            self.partial = Vec::new();
            self.skipping = true;
            if tally.oversized() {
                warn!(file = %self.name, "a transcript line is too long and passed over; more are only counted");
            }
        } else {
            self.partial.extend_from_slice(rest);
        }
    }

    fn line(&self, line: &[u8], recent: &mut Recent, into: &mut VecDeque<Line>, tally: &Tally) {
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        let entry = match Entry::read(line) {
            Ok(entry) => entry,
            Err(error) => {
                if tally.malformed() {
                    // The error's own text may quote the line.
                    let (column, kind) = (error.column(), error.classify());
                    warn!(file = %self.name, column, ?kind, "a transcript line is no entry; more are only counted");
                }
                return;
            }
        };
        let name = Name::from(&entry);
        if recent.is_old(&name) {
            return;
        }
        recent.add(name);
        into.push_back(Line {
            entry,
            end: self.lines.clone(),
        });
    }
}

/// Makes the last entries before `end` known to `recent`. The end of the last whole line before `end`; none when
/// there is no line to be found.
pub(super) fn look_back(
    file: &File,
    end: u64,
    recent: &mut Recent,
    tally: &Tally,
) -> io::Result<Option<Position>> {
    let mut reach = LOOK_BACK;
    loop {
        let size = usize::try_from(end).unwrap_or(reach).min(reach);
        let start = end - size as u64;
        let mut bytes = vec![0; size];
        let read = read_at(file, &mut bytes, start)?;
        tally.bytes(read);
        let bytes = &bytes[..read];
        // The first line began before what was read, unless that is all there is.
        let first = if start == 0 { Some(0) } else { line_end(bytes) };
        let last = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map(|at| at + 1);
        match (first, last) {
            (Some(first), Some(last)) if first < last => {
                let names = bytes[first..last]
                    .split(|byte| *byte == b'\n')
                    .filter_map(Name::read);
                names.for_each(|name| recent.add(name));
                return Position::at(file, start + last as u64);
            }
            (_, Some(last)) if reach >= LONGEST_LINE => {
                return Position::at(file, start + last as u64);
            }
            _ if start == 0 => return Ok(None),
            _ if reach >= LONGEST_LINE => return Position::at(file, end),
            _ => reach = (reach * 4).min(LONGEST_LINE),
        }
    }
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .map(|at| at + 1)
}
