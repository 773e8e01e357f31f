//! Model test: anything that agents, users and tools do to files, against the real file system.
//!
//! The model is what the files hold when they are looked at. It must hold: every line that was whole
//! when everything was read has been handed out, and none twice within a generation.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use crate::discover::{FoundFile, Stat};
use crate::schema::{Checkpoint, Counts, Format, SourceId, SourcePosition};
use crate::watch::{Decision, Disk, FileChange, Frame, Limits, Opened, Reader, Registry, durable_offset, inspect};

const LIMITS: Limits = Limits { buffer: 1024, long_line: usize::MAX, max_line: 64 * 1024, max_ratio: 2048 };

#[derive(Debug, Clone)]
enum Step {
    /// Whole lines, of about that many bytes each.
    Append(usize, usize, usize),
    /// A line without its newline.
    Partial(usize),
    /// Cut to a share of the size, in place.
    Truncate(usize, u8),
    /// Cut in place and at once grown again with other lines.
    Regrow(usize, u8, usize),
    /// Rewritten in place with fresh lines of the same total size.
    SameSize(usize),
    /// Rewritten without one line, in place or by renaming over it; then that many more lines.
    DropLine(usize, usize, bool, usize),
    /// Fresh content renamed over it.
    RenameOver(usize, usize),
    Rename(usize, usize),
    Copy(usize, usize),
    Remove(usize),
    /// Compressed; the plain file stays or goes.
    Compress(usize, bool),
    /// Unpacked; the packed file stays or goes.
    Unpack(usize, bool),
    /// Read at most that many lines of each file, then everything.
    FileChange(usize),
    LookAll,
    Commit,
    /// Forget everything since the last commit.
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let f = || 0..4_usize;
    let size = || prop_oneof![20..60_usize, 200..700_usize];
    let step = prop_oneof![
        6 => (f(), 1..20_usize, size()).prop_map(|(f, n, s)| Step::Append(f, n, s)),
        3 => f().prop_map(Step::Partial),
        1 => (f(), any::<u8>()).prop_map(|(f, s)| Step::Truncate(f, s)),
        2 => (f(), any::<u8>(), 1..30_usize).prop_map(|(f, s, n)| Step::Regrow(f, s, n)),
        1 => f().prop_map(Step::SameSize),
        2 => (f(), 0..20_usize, any::<bool>(), 0..20_usize).prop_map(|(f, l, o, n)| Step::DropLine(f, l, o, n)),
        1 => (f(), 1..20_usize).prop_map(|(f, n)| Step::RenameOver(f, n)),
        2 => (f(), f()).prop_map(|(a, b)| Step::Rename(a, b)),
        1 => (f(), f()).prop_map(|(a, b)| Step::Copy(a, b)),
        1 => f().prop_map(Step::Remove),
        2 => (f(), any::<bool>()).prop_map(|(f, k)| Step::Compress(f, k)),
        1 => (f(), any::<bool>()).prop_map(|(f, k)| Step::Unpack(f, k)),
        2 => (1..10_usize).prop_map(Step::FileChange),
        8 => Just(Step::LookAll),
        2 => Just(Step::Commit),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..60)
}

/// What a pipeline remembers; its clone is a commit.
#[derive(Debug, Clone, Default)]
struct Memory {
    positions: HashMap<SourceId, SourcePosition>,
    delivered: HashMap<(SourceId, u32), HashSet<Vec<u8>>>,
    expected: BTreeSet<Vec<u8>>,
    next_id: u64,
}

struct World {
    folder: tempfile::TempDir,
    registry: Registry,
    memory: Memory,
    durable: Memory,
    next_line: usize,
}

fn now_us() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as i64
}

impl World {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            registry: Registry::default(),
            memory: Memory::default(),
            durable: Memory::default(),
            next_line: 0,
        }
    }

    fn path(&self, f: usize) -> PathBuf {
        self.folder.path().join(format!("{f}.jsonl"))
    }

    fn packed(&self, f: usize) -> PathBuf {
        self.folder.path().join(format!("{f}.jsonl.zst"))
    }

    fn lines(&mut self, count: usize, size: usize) -> Vec<u8> {
        let mut all = Vec::new();
        for _ in 0..count {
            self.next_line += 1;
            let line = format!("line {} {}\n", self.next_line, "x".repeat(size.saturating_sub(12)));
            all.extend_from_slice(line.as_bytes());
        }
        all
    }

    fn replace(&self, path: &Path, bytes: &[u8]) {
        let other = self.folder.path().join("tmp");
        fs::write(&other, bytes).unwrap();
        fs::rename(&other, path).unwrap();
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Append(f, count, size) => {
                let bytes = self.lines(count, size);
                let mut file = OpenOptions::new().append(true).create(true).open(self.path(f)).unwrap();
                file.write_all(&bytes).unwrap();
            }
            Step::Partial(f) => {
                self.next_line += 1;
                let bytes = format!("part {} ", self.next_line);
                let mut file = OpenOptions::new().append(true).create(true).open(self.path(f)).unwrap();
                file.write_all(bytes.as_bytes()).unwrap();
            }
            Step::Rename(a, b) => drop(fs::rename(self.path(a), self.path(b))),
            Step::Copy(a, b) if a != b => drop(fs::copy(self.path(a), self.path(b))),
            Step::Copy(..) => {}
            Step::Remove(f) => drop(fs::remove_file(self.path(f))),
            Step::FileChange(most) => {
                self.look(most);
                self.look_all();
            }
            Step::LookAll => self.look_all(),
            Step::Commit => self.durable = self.memory.clone(),
            Step::Crash => self.restart(),
            Step::Unpack(f, keep) => {
                let Ok(bytes) = fs::read(self.packed(f)) else { return };
                self.replace(&self.path(f), &zstd::decode_all(bytes.as_slice()).unwrap());
                if !keep {
                    fs::remove_file(self.packed(f)).unwrap();
                }
            }
            step => self.rewrite(step),
        }
    }

    /// Steps that need what the file holds.
    fn rewrite(&mut self, step: Step) {
        let (Step::Truncate(f, _)
        | Step::Regrow(f, ..)
        | Step::SameSize(f)
        | Step::DropLine(f, ..)
        | Step::RenameOver(f, _)
        | Step::Compress(f, _)) = step
        else {
            return;
        };
        let path = self.path(f);
        let Ok(old) = fs::read(&path) else { return };
        let share = |share: u8| old.len() * usize::from(share) / 256;
        match step {
            Step::Truncate(_, by) => {
                OpenOptions::new().write(true).open(&path).unwrap().set_len(share(by) as u64).unwrap();
            }
            Step::Regrow(_, by, count) => {
                let more = self.lines(count, 60);
                fs::write(&path, [&old[..share(by)], &more].concat()).unwrap();
            }
            Step::SameSize(_) => {
                let mut fresh = self.lines(old.len() / 40 + 1, 40);
                fresh.truncate(old.len());
                fs::write(&path, fresh).unwrap();
            }
            Step::DropLine(_, which, over, count) => {
                let mut lines: Vec<&[u8]> = old.split_inclusive(|b| *b == b'\n').collect();
                if !lines.is_empty() {
                    lines.remove(which % lines.len());
                }
                let bytes = [lines.concat(), self.lines(count, 50)].concat();
                if over { self.replace(&path, &bytes) } else { fs::write(&path, bytes).unwrap() }
            }
            Step::RenameOver(_, count) => {
                let fresh = self.lines(count, 50);
                self.replace(&path, &fresh);
            }
            Step::Compress(_, keep) => {
                self.replace(&self.packed(f), &zstd::encode_all(old.as_slice(), 3).unwrap());
                if !keep {
                    fs::remove_file(&path).unwrap();
                }
            }
            _ => {}
        }
    }

    /// Positions go through their durable form.
    fn restart(&mut self) {
        self.memory = self.durable.clone();
        self.registry = Registry::default();
        for position in self.memory.positions.values_mut() {
            let text = serde_json::to_string(position).unwrap();
            let read: SourcePosition = serde_json::from_str(&text).unwrap();
            assert_eq!(read, *position);
            let path = PathBuf::from(&read.path);
            self.registry.put(&Arc::new(read), &path);
        }
    }

    fn look_all(&mut self) {
        self.look(usize::MAX);
        for file in self.found() {
            let bytes = fs::read(&file.path).unwrap();
            let packed = file.path.extension().is_some_and(|e| e == "zst");
            let bytes = if packed { zstd::decode_all(bytes.as_slice()).unwrap() } else { bytes };
            let lines = bytes.split_inclusive(|b| *b == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
            self.memory.expected.extend(lines.map(<[u8]>::to_vec));
        }
        for line in &self.memory.expected {
            let seen = self.memory.delivered.values().any(|lines| lines.contains(line));
            assert!(seen, "{:?} was never handed out", String::from_utf8_lossy(&line[..line.len().min(40)]));
        }
    }

    fn found(&self) -> Vec<FoundFile> {
        let entries = fs::read_dir(self.folder.path()).unwrap().flatten();
        let found = entries.filter(|e| e.path().extension().is_some_and(|x| x == "jsonl" || x == "zst"));
        let found = found.map(|e| FoundFile {
            path: e.path(),
            agent: "claude",
            format: Format::ClaudeSession,
            companions: Vec::new(),
            stat: Stat::of(&e.metadata().unwrap()),
        });
        found.collect()
    }

    fn look(&mut self, most: usize) {
        let mut found = self.found();
        self.registry.order(&mut found);
        for file in found {
            let id = match self.registry.decide(&file.path, &file.stat, &Disk) {
                Decision::Known(id) => id,
                Decision::Moved { id, .. } => {
                    self.registry.moved(id, &file.path);
                    id
                }
                Decision::Alias { .. } => continue,
                Decision::New => {
                    self.memory.next_id += 1;
                    SourceId(self.memory.next_id)
                }
            };
            self.source(id, &file, most);
        }
        let gone: Vec<_> = self.registry.present().filter(|(_, path)| !path.exists()).map(|(id, _)| id).collect();
        for id in gone {
            self.registry.gone(id);
        }
    }

    fn source(&mut self, id: SourceId, file: &FoundFile, most: usize) {
        let previous = self.memory.positions.get(&id);
        let mut generation = previous.map_or(0, |previous| previous.generation);
        let (opened, checkpoint) = match inspect(&file.path, Some(&file.stat), previous) {
            FileChange::Unchanged => return,
            FileChange::Appended(opened) | FileChange::Touched(opened) => {
                (opened, previous.unwrap().checkpoint.clone())
            }
            FileChange::Rewritten { opened, .. } => {
                generation += 1;
                (opened, Checkpoint::default())
            }
            FileChange::New(opened) => (opened, Checkpoint::default()),
            FileChange::Vanished | FileChange::Unreadable { .. } => panic!("{file:?}"),
        };
        let position = self.read(id, generation, opened, &checkpoint, most);
        let position = SourcePosition { path: file.path.to_str().unwrap().into(), ..position };
        self.registry.put(&Arc::new(position.clone()), &file.path);
        self.memory.positions.insert(id, position);
    }

    /// Hands out lines; like a decoder with one open record, it asks for the last line again.
    fn read(
        &mut self,
        id: SourceId,
        generation: u32,
        opened: Opened,
        from: &Checkpoint,
        most: usize,
    ) -> SourcePosition {
        let mut reader = Reader::new(opened, from.resume_at, LIMITS, Vec::new()).unwrap();
        let mut next = from.clone();
        let mut count = 0;
        while count < most {
            let Some(frame) = reader.next_frame().unwrap() else { break };
            let Frame::Line { offset, end, bytes } = frame else { panic!("{frame:?}") };
            next.resume_at = offset;
            if offset < durable_offset(from) {
                continue;
            }
            next.high_water = end;
            count += 1;
            let lines = self.memory.delivered.entry((id, generation)).or_default();
            assert!(lines.insert(bytes.to_vec()), "{:?} twice", String::from_utf8_lossy(&bytes[..bytes.len().min(40)]));
        }
        SourcePosition {
            id,
            agent: "claude".into(),
            format: Format::ClaudeSession.name().into(),
            path: String::new(),
            generation,
            born_us: 0,
            fingerprint: reader.fingerprint(durable_offset(&next), now_us()).unwrap().unwrap(),
            checkpoint: next,
            counts: Counts::default(),
            read_at_us: 0,
            missing: false,
            last_error: None,
            folders: Vec::new(),
            learnt: Default::default(),
        }
    }
}

proptest! {
    #[test]
    fn every_whole_line_is_handed_out_and_none_twice_in_a_generation(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.apply(step);
        }
        world.look_all();
    }
}
