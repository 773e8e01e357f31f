use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::*;

const SMALL: Limits = Limits { buffer: 1024, long_line: usize::MAX, max_line: 4000, max_ratio: 2048 };

fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn open(path: &Path, position: u64, limits: Limits) -> Reader {
    Reader::new(Opened::open(path).unwrap(), position, limits, Vec::new()).unwrap()
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// (offset, end, bytes) of all frames; too long ones have their head, marked.
fn frames(reader: &mut Reader) -> Vec<(u64, u64, Vec<u8>)> {
    let mut all = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        all.push(match frame {
            Frame::Long => continue,
            Frame::Line { offset, end, bytes } | Frame::Torn { offset, end, bytes } => (offset, end, bytes.to_vec()),
            Frame::TooLong { offset, end, head } => (offset, end, [b"LONG:", &head[..8]].concat()),
        });
    }
    all
}

#[test]
fn a_torn_last_line_waits_for_its_newline_at_every_byte() {
    let text = "{\"a\":\"\u{e9}\u{1f600}\"}\r\n{\"b\":2}\n".as_bytes();
    for cut in 0..=text.len() {
        let (_folder, path) = file(&text[..cut]);
        let mut reader = open(&path, 0, SMALL);
        let mut all = frames(&mut reader);
        let whole = text[..cut].iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        assert_eq!(reader.offset(), whole as u64);
        assert_eq!(reader.waiting(), (cut - whole) as u64);
        append(&path, &text[cut..]);
        // Whether the reader goes on or a new one starts where it stood is the same.
        let mut other = open(&path, reader.offset(), SMALL);
        let rest = frames(&mut reader);
        assert_eq!(rest, frames(&mut other));
        all.extend(rest);
        let lines: Vec<_> = all.iter().map(|(_, _, bytes)| bytes.as_slice()).collect();
        assert_eq!(lines, ["{\"a\":\"\u{e9}\u{1f600}\"}\r".as_bytes(), b"{\"b\":2}"]);
    }
}

#[test]
fn a_long_line_grows_the_buffer_and_a_short_one_shrinks_it() {
    let long = vec![b'x'; 3900];
    let (_folder, path) = file(&[b"a\n", long.as_slice(), b"\n", "b\n".repeat(2000).as_bytes()].concat());
    let mut reader = open(&path, 0, SMALL);
    let mut most = 0;
    let mut count = 0;
    while let Some(Frame::Line { bytes, .. }) = reader.next_frame().unwrap() {
        assert!(bytes == b"a" || bytes == b"b" || bytes == long);
        count += 1;
        most = most.max(reader.buffer.len());
    }
    assert_eq!((count, reader.buffer.len()), (2002, SMALL.buffer));
    assert!(most > 3900 && most <= SMALL.max_line + TAIL_BYTES + 2, "{most}");
}

#[test]
fn a_line_above_the_limit_is_named_but_never_held() {
    let long = [b"{\"head\":", vec![b'x'; 100_000].as_slice()].concat();
    let (_folder, path) = file(&[b"first\n", long.as_slice(), b"\nlast\n"].concat());
    let mut reader = open(&path, 0, SMALL);
    let end = 6 + long.len() as u64 + 1;
    let expected = [(0, 6, b"first".to_vec()), (6, end, b"LONG:{\"head\":".to_vec()), (end, end + 5, b"last".to_vec())];
    assert_eq!(frames(&mut reader), expected);
    assert!(reader.buffer.len() <= SMALL.max_line + TAIL_BYTES + 2);
    assert!(reader.fingerprint(reader.offset(), i64::MAX).unwrap().is_some());
    // The head of the fingerprint goes through the long line.
    assert_eq!(reader.head, fs::read(&path).unwrap()[..HEAD_BYTES]);
}

#[test]
fn a_long_line_without_an_end_is_skipped_as_it_grows_and_across_parking() {
    let (_folder, path) = file(&vec![b'x'; 10_000]);
    let mut reader = open(&path, 0, SMALL);
    assert!(reader.next_frame().unwrap().is_none());
    assert_eq!((reader.offset(), reader.waiting()), (0, 10_000));
    append(&path, &vec![b'y'; 5_000]);
    let buffer = reader.park();
    assert_eq!(reader.unpark(buffer).unwrap(), ReadPosition::Same);
    assert!(reader.next_frame().unwrap().is_none());
    assert_eq!(reader.waiting(), 15_000);
    append(&path, b"\nnext\n");
    let all = frames(&mut reader);
    assert_eq!(all, [(0, 15_001, b"LONG:xxxxxxxx".to_vec()), (15_001, 15_006, b"next".to_vec())]);
}

#[test]
fn every_split_of_lines_over_buffers_gives_the_same_frames() {
    let mut bytes = Vec::new();
    for i in 0..400_usize {
        bytes.extend(std::iter::repeat_n(b'a' + (i % 26) as u8, (i * 37) % 5000));
        bytes.push(b'\n');
    }
    let (_folder, path) = file(&bytes);
    let wide = Limits { buffer: 1 << 20, ..SMALL };
    let expected = frames(&mut open(&path, 0, wide));
    assert_eq!(expected.len(), 400);
    assert_eq!(frames(&mut open(&path, 0, SMALL)), expected);
    for (index, (offset, _, _)) in expected.iter().enumerate().step_by(13) {
        assert_eq!(frames(&mut open(&path, *offset, SMALL)), expected[index..]);
    }
}

#[test]
fn compressed_and_plain_files_give_the_same_frames_from_any_position() {
    let bytes: Vec<u8> =
        (0..3000).flat_map(|i| format!("{{\"line\":{i},\"pad\":\"{}\"}}\n", i % 7).into_bytes()).collect();
    let (folder, path) = file(&bytes);
    let packed = folder.path().join("a.jsonl.zst");
    // Two frames, one after the other, are one stream.
    let half = bytes.len() / 2;
    let frames_of = |b: &[u8]| zstd::encode_all(b, 3).unwrap();
    fs::write(&packed, [frames_of(&bytes[..half]), frames_of(&bytes[half..])].concat()).unwrap();
    let mut plain = open(&path, 0, SMALL);
    let all = frames(&mut plain);
    for index in [0, 1, 5, 200, 1500, 2999] {
        let mut reader = open(&packed, all[index].0, SMALL);
        assert_eq!(frames(&mut reader), all[index..], "from line {index}");
        let (a, b) = (
            plain.fingerprint(plain.offset(), 0).unwrap().unwrap(),
            reader.fingerprint(plain.offset(), 0).unwrap().unwrap(),
        );
        assert_eq!((a.head, a.tail, a.head_len, a.tail_len), (b.head, b.tail, b.head_len, b.tail_len));
    }
    let mut reader = open(&packed, 0, SMALL);
    assert!(reader.next_frame().unwrap().is_some());
    let buffer = reader.park();
    assert_eq!(reader.unpark(buffer).unwrap(), ReadPosition::Same);
    assert_eq!(frames(&mut reader), all[1..]);
}

#[test]
fn a_cut_off_compressed_file_ends_like_a_torn_line() {
    let bytes: Vec<u8> = (0..20_000).flat_map(|i| format!("{i} {}\n", i * 7919 % 10_007).into_bytes()).collect();
    let (folder, _) = file(b"");
    let packed = folder.path().join("b.jsonl.zst");
    let whole = zstd::encode_all(bytes.as_slice(), 3).unwrap();
    fs::write(&packed, &whole[..whole.len() - 10]).unwrap();
    let mut reader = open(&packed, 0, SMALL);
    let got = frames(&mut reader);
    assert!(!got.is_empty() && got.len() <= 20_000);
    fs::write(&packed, b"no zstd at all").unwrap();
    let mut reader = open(&packed, 0, SMALL);
    assert!(reader.next_frame().unwrap().is_none());
    assert!(reader.is_cut());
}

#[test]
fn a_compression_bomb_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let packed = folder.path().join("bomb.jsonl.zst");
    let mut encoder = zstd::Encoder::new(fs::File::create(&packed).unwrap(), 3).unwrap();
    let block = vec![0; 1 << 20];
    for _ in 0..200 {
        encoder.write_all(&block).unwrap();
    }
    encoder.finish().unwrap();
    let limits = Limits { max_line: 1 << 20, ..Limits::default() };
    let mut reader = open(&packed, 0, Limits { max_ratio: 100, ..limits });
    assert_eq!(reader.next_frame().unwrap(), None);
    assert!(reader.is_cut() && reader.fingerprint(0, i64::MAX).unwrap().is_some_and(|print| !print.is_untrusted()));
    assert!(reader.buffer.len() <= (1 << 20) + 1024);
}

#[test]
fn a_deleted_file_is_read_to_its_end() {
    let (_folder, path) = file(&"line\n".repeat(5000).into_bytes());
    let mut reader = open(&path, 0, SMALL);
    assert!(reader.next_frame().unwrap().is_some());
    fs::remove_file(&path).unwrap();
    assert_eq!(frames(&mut reader).len(), 4999);
}

#[test]
fn what_stands_after_the_last_newline_is_handed_out_once_on_demand() {
    let (_folder, path) = file(b"a\ntorn");
    let mut reader = open(&path, 0, SMALL);
    assert_eq!(frames(&mut reader).len(), 1);
    assert_eq!(reader.finish_torn().unwrap(), Some(Frame::Torn { offset: 2, end: 6, bytes: b"torn" }));
    assert_eq!(reader.finish_torn().unwrap(), None);
    let (_folder, path) = file(&vec![b'x'; 9000]);
    let mut reader = open(&path, 0, SMALL);
    assert!(reader.next_frame().unwrap().is_none());
    let Some(Frame::Torn { offset: 0, end: 9000, bytes }) = reader.finish_torn().unwrap() else { panic!() };
    assert_eq!(bytes, vec![b'x'; LONG_HEAD]);
}

#[test]
fn a_fingerprint_is_refused_when_the_file_no_longer_begins_with_what_was_read() {
    let lines: String = (0..1000).map(|i| format!("line {i}\n")).collect();
    type Harm = fn(&Path, &str);
    let harms: [(Harm, Rewrite); 3] = [
        (|path, _| fs::write(path, "x").unwrap(), Rewrite::Shrunk),
        (|path, lines| fs::write(path, lines.replace("line 3\n", "LINE 3\n")).unwrap(), Rewrite::Head),
        (|path, lines| fs::write(path, lines.replace("line 999\n", "LINE 999\n")).unwrap(), Rewrite::Tail),
    ];
    for (harm, reason) in harms {
        let (_folder, path) = file(lines.as_bytes());
        let mut reader = open(&path, 0, SMALL);
        assert_eq!(frames(&mut reader).len(), 1000);
        let offset = reader.offset();
        assert!(reader.fingerprint(offset, 0).unwrap().is_some());
        harm(&path, &lines);
        assert_eq!(reader.fingerprint(offset, 0).unwrap(), None);
        let buffer = reader.park();
        assert_eq!(reader.unpark(buffer).unwrap(), ReadPosition::Rewritten(reason));
    }
}

#[test]
fn times_are_trusted_only_when_everything_was_read_and_some_time_has_passed() {
    let (_folder, path) = file(b"a\nb\ntorn");
    let mut reader = open(&path, 0, SMALL);
    assert_eq!(frames(&mut reader).len(), 2);
    let changed_us = reader.opened().stat().changed_ns / 1000;
    let print = |position, now| reader.fingerprint(position, now).unwrap().unwrap().changed_ns;
    assert_eq!(print(4, changed_us + 1000), UNTRUSTED);
    assert_eq!(print(4, changed_us + 1_000_000), reader.opened().stat().changed_ns);
    assert_eq!(print(2, changed_us + 1_000_000), UNTRUSTED);
    append(&path, b"more");
    assert_eq!(print(4, changed_us + 9_000_000), UNTRUSTED);
}

/// `cargo test --release --lib watch::reader -- --ignored --nocapture`
#[test]
#[ignore = "a measurement, not a check"]
fn throughput() {
    let mut seed = 1_u32;
    let mut letter = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'a' + (seed >> 28) as u8
    };
    let lines: Vec<u8> =
        (0..12_000).flat_map(|_| (0..3_300).map(|_| letter()).chain([b'\n']).collect::<Vec<_>>()).collect();
    let (folder, path) = file(&lines.repeat(10));
    let packed = folder.path().join("a.jsonl.zst");
    fs::write(&packed, zstd::encode_all(fs::File::open(&path).unwrap(), 3).unwrap()).unwrap();
    for path in [&path, &path, &path, &packed] {
        let start = std::time::Instant::now();
        let mut reader = open(path, 0, Limits::default());
        let mut bytes = 0_u64;
        while let Some(Frame::Line { bytes: line, .. }) = reader.next_frame().unwrap() {
            bytes += line.len() as u64 + 1;
        }
        let rate = bytes as f64 / start.elapsed().as_secs_f64() / 1e6;
        let text = format!("{} {} MB at {rate:.0} MB/s\n", path.display(), bytes / 1_000_000);
        std::io::stderr().write_all(text.as_bytes()).unwrap();
    }
}

#[test]
fn a_long_line_is_announced_once_before_more_memory_is_taken_for_it() {
    let (short, long, longer) = (vec![b's'; 900], vec![b'x'; 3000], vec![b'y'; 9000]);
    let text = [&short[..], b"\n", &long, b"\n", &short, b"\n", &longer, b"\n", &long, b"\nend"].concat();
    let (_folder, path) = file(&text);
    let mut reader = open(&path, 0, Limits { long_line: 1500, ..SMALL });
    let mut seen = Vec::new();
    loop {
        let room = reader.buffer.len();
        match reader.next_frame().unwrap() {
            None => break,
            Some(Frame::Long) => {
                assert!(room < 2500, "{room} bytes before it was announced");
                seen.push("long".to_owned());
            }
            Some(Frame::Line { bytes, .. }) => {
                seen.push(format!("{} {}", bytes.len(), char::from(bytes[0])));
                reader.relax();
            }
            Some(other) => seen.push(format!("{}", matches!(other, Frame::TooLong { .. }))),
        }
    }
    assert_eq!(seen, ["900 s", "long", "3000 x", "900 s", "long", "true", "long", "3000 x"]);
    assert_eq!(reader.torn(), b"end");
}
