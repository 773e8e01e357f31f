use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::schema::{Checkpoint, Counts};
use crate::watch::fingerprint::{lengths, of};
use crate::watch::marks::hash;

/// A file system of whole contents: inode and bytes by path.
#[derive(Debug, Clone, Default)]
struct Fake {
    files: HashMap<PathBuf, (u64, Vec<u8>)>,
    closed: Vec<PathBuf>,
}

impl Fake {
    fn put(&mut self, path: &str, inode: u64, bytes: &[u8]) {
        self.files.insert(path.into(), (inode, bytes.to_vec()));
    }

    fn rename(&mut self, from: &str, to: &str) {
        let file = self.files.remove(Path::new(from)).unwrap();
        self.files.insert(to.into(), file);
    }

    fn stat(&self, path: &str) -> Stat {
        let (inode, bytes) = &self.files[Path::new(path)];
        Stat { device: 1, inode: *inode, size: bytes.len() as u64, links: 1, ..Stat::default() }
    }

    /// The position after everything at `path` was read.
    fn read(&self, id: u64, path: &str) -> SourcePosition {
        let stat = self.stat(path);
        let bytes = &self.files[Path::new(path)].1;
        let (head_len, tail_len) = lengths(stat.size);
        let tail = hash(&bytes[bytes.len() - tail_len..]);
        SourcePosition {
            id: SourceId(id),
            agent: "claude".into(),
            format: "claude-session".into(),
            path: path.into(),
            generation: 0,
            born_us: 0,
            checkpoint: Checkpoint { resume_at: stat.size, high_water: stat.size, open: false, state: String::new() },
            fingerprint: of(&stat, stat.size, hash(&bytes[..head_len]), tail, 0),
            counts: Counts::default(),
            read_at_us: 0,
            missing: false,
            last_error: None,
            folders: Vec::new(),
            learnt: Default::default(),
        }
    }

    fn decide(&self, registry: &Registry, path: &str) -> Decision {
        registry.decide(Path::new(path), &self.stat(path), self)
    }
}

impl FileProbe for Fake {
    fn presence(&self, path: &Path) -> Presence {
        if self.closed.iter().any(|closed| closed == path) {
            return Presence::Unknown;
        }
        match self.files.contains_key(path) {
            true => Presence::Here(self.stat(path.to_str().unwrap())),
            false => Presence::Gone,
        }
    }

    fn head(&self, path: &Path, length: u32) -> Option<u64> {
        self.files.get(path)?.1.get(..length as usize).map(hash)
    }

    fn continues(&self, path: &Path, known: &Fingerprint, position: u64) -> Option<bool> {
        let bytes = &self.files.get(path)?.1;
        let position = position as usize;
        let tail = bytes.get(position.saturating_sub(known.tail_len as usize)..position)?;
        let same = hash(&bytes[..known.head_len as usize]) == known.head && hash(tail) == known.tail;
        same.then_some(bytes.len() > position)
    }
}

fn text(seed: u8, len: usize) -> Vec<u8> {
    (0..len).map(|i| seed.wrapping_add((i / 7) as u8).wrapping_mul(31)).collect()
}

/// One source, read from `/p/a.jsonl`, inode 10.
fn one(len: usize) -> (Fake, Registry) {
    let mut disk = Fake::default();
    disk.put("/p/a.jsonl", 10, &text(1, len));
    let mut registry = Registry::default();
    registry.put(&Arc::new(disk.read(1, "/p/a.jsonl")), Path::new("/p/a.jsonl"));
    (disk, registry)
}

fn moved(from: &str) -> Decision {
    Decision::Moved { id: SourceId(1), from: from.into() }
}

#[test]
fn the_same_path_is_the_same_source() {
    let (mut disk, registry) = one(100);
    disk.put("/p/a.jsonl", 99, b"other");
    assert_eq!(disk.decide(&registry, "/p/a.jsonl"), Decision::Known(SourceId(1)));
}

#[test]
fn a_renamed_file_keeps_its_source_though_its_inode_was_that_of_a_removed_one() {
    for gone in [0, 2] {
        let (mut disk, mut registry) = one(100);
        // A file that was removed, and whose inode the renamed one has got; both were read before.
        disk.put("/p/gone.jsonl", 10, &text(9, 100));
        registry.put(&Arc::new(disk.read(gone, "/p/gone.jsonl")), Path::new("/p/gone.jsonl"));
        disk.files.remove(Path::new("/p/gone.jsonl"));
        disk.rename("/p/a.jsonl", "/q/a.jsonl");
        assert_eq!(disk.decide(&registry, "/q/a.jsonl"), moved("/p/a.jsonl"), "the other one is {gone}");
    }
}

#[test]
fn a_renamed_file_keeps_its_source_and_a_copy_gets_its_own() {
    let (mut disk, mut registry) = one(100);
    disk.put("/q/copy.jsonl", 11, &text(1, 100));
    assert_eq!(disk.decide(&registry, "/q/copy.jsonl"), Decision::New);
    disk.rename("/p/a.jsonl", "/archived/a.jsonl");
    assert_eq!(disk.decide(&registry, "/archived/a.jsonl"), moved("/p/a.jsonl"));
    registry.moved(SourceId(1), Path::new("/archived/a.jsonl"));
    assert_eq!(disk.decide(&registry, "/archived/a.jsonl"), Decision::Known(SourceId(1)));
    assert_eq!(registry.at(Path::new("/p/a.jsonl")), None);
}

#[test]
fn a_move_to_another_disk_is_found_by_content() {
    for len in [100, 9000] {
        let (mut disk, mut registry) = one(len);
        disk.put("/other/a.jsonl", 77, &[text(1, len), b"more".to_vec()].concat());
        assert_eq!(disk.decide(&registry, "/other/a.jsonl"), Decision::New);
        disk.files.remove(Path::new("/p/a.jsonl"));
        registry.gone(SourceId(1));
        assert_eq!(disk.decide(&registry, "/other/a.jsonl"), moved("/p/a.jsonl"));
        // A path that may only be unreadable for now is not gone.
        disk.closed.push("/p/a.jsonl".into());
        assert_eq!(disk.decide(&registry, "/other/a.jsonl"), Decision::New);
    }
}

#[test]
fn files_with_the_same_first_bytes_are_different_sources() {
    let (mut disk, registry) = one(9000);
    let mut other = text(1, 9000);
    other[8999] ^= 1;
    disk.put("/p/b.jsonl", 11, &other);
    disk.files.remove(Path::new("/p/a.jsonl"));
    assert_eq!(disk.decide(&registry, "/p/b.jsonl"), Decision::New);
}

#[test]
fn a_reused_inode_with_other_content_is_a_new_source() {
    let (mut disk, registry) = one(100);
    disk.files.remove(Path::new("/p/a.jsonl"));
    disk.put("/p/b.jsonl", 10, &text(9, 200));
    assert_eq!(disk.decide(&registry, "/p/b.jsonl"), Decision::New);
}

#[test]
fn another_name_of_a_file_is_an_alias_until_the_first_name_goes() {
    let (mut disk, registry) = one(100);
    disk.put("/q/link.jsonl", 10, &text(1, 100));
    assert_eq!(disk.decide(&registry, "/q/link.jsonl"), Decision::Alias { of: SourceId(1) });
    disk.files.remove(Path::new("/p/a.jsonl"));
    assert_eq!(disk.decide(&registry, "/q/link.jsonl"), moved("/p/a.jsonl"));
}

#[test]
fn without_true_inodes_a_file_that_is_still_there_is_no_alias() {
    let (mut disk, registry) = one(100);
    disk.put("/q/b.jsonl", 10, &text(1, 100));
    let stat = Stat { links: 0, ..disk.stat("/q/b.jsonl") };
    assert_eq!(registry.decide(Path::new("/q/b.jsonl"), &stat, &disk), Decision::New);
}

#[test]
fn a_compressed_twin_is_the_same_source_once_the_plain_file_is_gone() {
    // The fake's content is the uncompressed one, as everywhere in this room.
    let (mut disk, mut registry) = one(9000);
    disk.put("/p/a.jsonl.zst", 12, &text(1, 9000));
    assert_eq!(disk.decide(&registry, "/p/a.jsonl.zst"), Decision::Alias { of: SourceId(1) });
    disk.files.remove(Path::new("/p/a.jsonl"));
    assert_eq!(disk.decide(&registry, "/p/a.jsonl.zst"), moved("/p/a.jsonl"));
    registry.moved(SourceId(1), Path::new("/p/a.jsonl.zst"));
    // And unpacked again.
    disk.rename("/p/a.jsonl.zst", "/p/a.jsonl");
    assert_eq!(disk.decide(&registry, "/p/a.jsonl"), moved("/p/a.jsonl.zst"));
    disk.put("/p/a.jsonl", 13, &text(4, 9000));
    assert_eq!(disk.decide(&registry, "/p/a.jsonl"), Decision::New);
}

#[test]
fn a_name_that_was_freed_and_given_to_a_new_file_is_sorted_out_in_one_scan() {
    let (mut disk, mut registry) = one(9000);
    disk.rename("/p/a.jsonl", "/p/z.jsonl");
    disk.put("/p/a.jsonl", 20, &text(5, 300));
    let found = |path: &str| FoundFile {
        path: path.into(),
        agent: "claude",
        format: crate::schema::Format::ClaudeSession,
        companions: Vec::new(),
        stat: disk.stat(path),
    };
    let mut all = [found("/p/a.jsonl"), found("/p/z.jsonl")];
    registry.order(&mut all);
    assert_eq!(all[0].path, Path::new("/p/z.jsonl"));
    assert_eq!(disk.decide(&registry, "/p/z.jsonl"), moved("/p/a.jsonl"));
    registry.moved(SourceId(1), Path::new("/p/z.jsonl"));
    assert_eq!(disk.decide(&registry, "/p/a.jsonl"), Decision::New);
}

#[derive(Debug, Clone)]
enum Step {
    Write(usize, u8, usize),
    Rename(usize, usize),
    Copy(usize, usize),
    Remove(usize),
    Scan,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let path = 0..5_usize;
    let step = prop_oneof![
        (path.clone(), 0..4_u8, prop_oneof![1..50_usize, 4090..4110_usize, 5000..6000_usize])
            .prop_map(|(p, seed, len)| Step::Write(p, seed, len)),
        (path.clone(), path.clone()).prop_map(|(a, b)| Step::Rename(a, b)),
        (path.clone(), path.clone()).prop_map(|(a, b)| Step::Copy(a, b)),
        path.prop_map(Step::Remove),
        Just(Step::Scan),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    /// Whatever happens between scans: after a scan each path has one source and each source one
    /// path; a source that moved is where its bytes are; the indexes agree with one another.
    #[test]
    fn sources_and_paths_stay_one_to_one(steps in steps()) {
        let name = |i: usize| format!("/p/{i}.jsonl");
        let (mut disk, mut registry) = (Fake::default(), Registry::default());
        let (mut next_inode, mut next_id) = (100, 1);
        for step in steps.into_iter().chain([Step::Scan]) {
            match step {
                Step::Write(p, seed, len) => {
                    next_inode += 1;
                    let inode = disk.files.get(Path::new(&name(p))).map_or(next_inode, |file| file.0);
                    disk.put(&name(p), inode, &text(seed, len));
                }
                Step::Rename(a, b) if a != b && disk.files.contains_key(Path::new(&name(a))) => {
                    disk.rename(&name(a), &name(b));
                }
                Step::Copy(a, b) if a != b => {
                    if let Some((_, bytes)) = disk.files.get(Path::new(&name(a))).cloned() {
                        next_inode += 1;
                        disk.put(&name(b), next_inode, &bytes);
                    }
                }
                Step::Remove(p) => { disk.files.remove(Path::new(&name(p))); }
                Step::Scan => scan_all(&disk, &mut registry, &mut next_id),
                _ => {}
            }
            prop_assert!(registry.by_path.len() <= registry.sources.len());
            for (hash, id) in &registry.by_path {
                let path = registry.sources[id].path();
                prop_assert_eq!((registry.at(path), registry.hasher.hash_one(path)), (Some(*id), *hash));
            }
            let gone_short = registry.sources.values()
                .filter(|k| k.gone && k.fingerprint().head_len > 0 && k.fingerprint().head_len < 4096).count();
            prop_assert_eq!(registry.short_heads.values().sum::<usize>(), gone_short);
            prop_assert_eq!(
                registry.by_head.len(),
                registry.sources.values().filter(|k| k.fingerprint().head_len > 0).count()
            );
        }
        for path in disk.files.keys() {
            prop_assert!(registry.at(path).is_some(), "{path:?} has no source");
        }
    }
}

/// What the pipeline does after a scan, without decoding.
fn scan_all(disk: &Fake, registry: &mut Registry, next_id: &mut u64) {
    let mut found: Vec<FoundFile> = disk
        .files
        .keys()
        .map(|path| FoundFile {
            path: path.clone(),
            agent: "claude",
            format: crate::schema::Format::ClaudeSession,
            companions: Vec::new(),
            stat: disk.stat(path.to_str().unwrap()),
        })
        .collect();
    registry.order(&mut found);
    for file in found {
        let path = file.path.to_str().unwrap();
        let id = match disk.decide(registry, path) {
            Decision::Known(id) | Decision::Alias { of: id } => id,
            Decision::Moved { id, from } => {
                assert!(!disk.files.contains_key(&from) || disk.stat(from.to_str().unwrap()).inode != file.stat.inode);
                registry.moved(id, &file.path);
                id
            }
            Decision::New => {
                *next_id += 1;
                SourceId(*next_id)
            }
        };
        registry.put(&Arc::new(disk.read(id.0, path)), &file.path);
    }
    let gone: Vec<SourceId> =
        registry.present().filter(|(_, path)| !disk.files.contains_key(*path)).map(|(id, _)| id).collect();
    for id in gone {
        registry.gone(id);
    }
}
