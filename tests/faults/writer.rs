//! A writer that does to Claude's transcripts whatever agents, editors, and people do to files.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::home::Home;
use super::logs::{append, long_turn, turn};
use super::random::Random;

/// Writes into a home until it is told to stop.
pub struct Writer<'a> {
    home: &'a Home,
    random: Random,
    /// Transcripts that grow, with the session each belongs to.
    files: Vec<(PathBuf, String)>,
    turns: usize,
    made: usize,
    /// The rest of a line that was written in part, and where it belongs.
    torn: Option<(PathBuf, Vec<u8>)>,
}

impl<'a> Writer<'a> {
    pub fn new(home: &'a Home, random: Random) -> Self {
        Self { home, random, files: Vec::new(), turns: 0, made: 0, torn: None }
    }

    /// One act after the other, with short pauses.
    pub fn work(&mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            self.act();
            let pause = self.random.below(12);
            std::thread::sleep(Duration::from_millis(pause as u64));
        }
        self.end_line();
    }

    fn make(&mut self) -> usize {
        self.made += 1;
        let session = format!("s{}", self.made);
        let project = format!("-home-u-p{}", self.random.below(4));
        self.files.push((self.home.claude(&project, &session), session));
        self.files.len() - 1
    }

    fn any(&mut self) -> usize {
        if self.files.len() < 3 || (self.files.len() < 40 && self.random.percent(6)) {
            return self.make();
        }
        self.random.below(self.files.len())
    }

    fn lines(&mut self, session: &str) -> String {
        self.turns += 1;
        if self.random.percent(40) { long_turn(session, self.turns) } else { turn(session, self.turns) }
    }

    /// Ends the line that was left unfinished.
    fn end_line(&mut self) {
        if let Some((path, rest)) = self.torn.take() {
            append(&path, rest);
        }
    }

    fn act(&mut self) {
        let index = self.any();
        let (path, session) = self.files[index].clone();
        // What is done to a file finds it with whole lines, as its agent would.
        self.end_line();
        match self.random.below(14) {
            0..=3 => {
                for _ in 0..=self.random.below(6) {
                    let lines = self.lines(&session);
                    append(&path, lines);
                }
            }
            4 | 5 => self.tear(&path, &session),
            6 => self.bytewise(&path, &session),
            7 => self.copy(&path),
            8 => self.fork(&path, &session),
            9 => self.rename(index),
            10 => self.rename_over(&path, &session),
            11 => self.regrow(&path, &session),
            12 => {
                if let Ok(file) = File::options().append(true).open(&path) {
                    let _ = file.set_modified(std::time::SystemTime::now());
                }
            }
            _ => {
                let lines = self.lines(&session).repeat(2);
                append(&path, lines);
            }
        }
    }

    /// Half a line now, the rest with the next act.
    fn tear(&mut self, path: &Path, session: &str) {
        let lines = self.lines(session).into_bytes();
        let at = self.random.within(1..lines.len());
        append(path, &lines[..at]);
        self.torn = Some((path.to_owned(), lines[at..].to_vec()));
    }

    fn bytewise(&mut self, path: &Path, session: &str) {
        let lines = self.lines(session);
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        for piece in lines.as_bytes().chunks(self.random.within(1..60)) {
            file.write_all(piece).unwrap();
            if self.random.percent(4) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn copy(&mut self, path: &Path) {
        self.made += 1;
        let copy = self.home.claude("-home-u-copies", &format!("copy{}", self.made));
        if path.exists() && self.made.is_multiple_of(3) {
            fs::copy(path, copy).unwrap();
        }
    }

    /// A session that goes on from another: its lines under a new session's id, then its own.
    fn fork(&mut self, path: &Path, session: &str) {
        let Ok(text) = fs::read_to_string(path) else { return };
        if text.len() > 40_000 {
            return;
        }
        let index = self.make();
        let (fork, id) = self.files[index].clone();
        let old = format!("\"sessionId\":\"{session}\"");
        append(&fork, text.replace(&old, &format!("\"sessionId\":\"{id}\"")));
        let lines = self.lines(&id);
        append(&fork, lines);
    }

    fn rename(&mut self, index: usize) {
        let (path, session) = self.files[index].clone();
        self.made += 1;
        let moved = self.home.claude("-home-u-moved", &format!("{session}-{}", self.made));
        if path.exists() {
            fs::rename(path, &moved).unwrap();
            self.files[index].0 = moved;
        }
    }

    /// The file as a whole, and something new, put in its place.
    fn rename_over(&mut self, path: &Path, session: &str) {
        let mut text = fs::read(path).unwrap_or_default();
        text.extend_from_slice(self.lines(session).as_bytes());
        let beside = path.with_extension("tmp");
        fs::write(&beside, text).unwrap();
        fs::rename(&beside, path).unwrap();
    }

    /// Emptied, and written again in place with what was there and something new.
    fn regrow(&mut self, path: &Path, session: &str) {
        let mut text = fs::read(path).unwrap_or_default();
        text.extend_from_slice(self.lines(session).as_bytes());
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(path).unwrap();
        for piece in text.chunks(4096) {
            file.write_all(piece).unwrap();
        }
        file.flush().unwrap();
    }

    /// Takes away what devlog has read already: rows of it must stay. One line of each kind of harm a call.
    pub fn destroy(&mut self) {
        self.end_line();
        if self.files.is_empty() {
            return;
        }
        let index = self.random.below(self.files.len());
        let (path, _) = self.files[index].clone();
        let Ok(text) = fs::read(&path) else { return };
        match self.random.below(4) {
            0 => {
                fs::remove_file(&path).unwrap();
                self.files.remove(index);
                // Often the next file gets the number of the one that has just gone.
                let new = self.make();
                let (path, session) = self.files[new].clone();
                let lines = self.lines(&session);
                append(&path, lines);
            }
            1 => {
                let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
                let (from, to) = (lines.len() / 3, lines.len() * 2 / 3);
                fs::write(&path, [lines[..from].concat(), lines[to..].concat()].concat()).unwrap();
            }
            2 => {
                let middle = text.len() / 2;
                let end = text[..middle].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                let mut file = OpenOptions::new().write(true).open(&path).unwrap();
                file.set_len(end as u64).unwrap();
                file.seek(SeekFrom::End(0)).unwrap();
            }
            _ => fs::write(&path, b"").unwrap(),
        }
    }

    /// Some acts that only add.
    pub fn grow(&mut self, acts: usize) {
        for _ in 0..acts {
            let index = self.any();
            let (path, session) = self.files[index].clone();
            let lines = self.lines(&session);
            append(&path, lines);
        }
    }
}
