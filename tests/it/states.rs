//! What decoders keep in checkpoints: a state of another version is not believed.

use std::fs;
use std::path::{Path, PathBuf};

use devlog::adapters::{Decoder, Line, SourceInfo, decoder};
use devlog::schema::{Checkpoint, Format, Framing, RowContext, Rows};

fn inputs(format: Format) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(format.name());
    fs::read_dir(&folder).into_iter().flatten().map(|e| e.unwrap().path()).collect()
}

fn start(format: Format, checkpoint: Option<&Checkpoint>) -> Box<dyn Decoder> {
    let info = SourceInfo { path: "/h/.agent/log.jsonl", ..SourceInfo::default() };
    decoder(format, info, checkpoint).unwrap()
}

/// The checkpoint after all of `bytes`.
fn read(format: Format, bytes: &[u8]) -> Checkpoint {
    let mut rows = Rows::new(RowContext::new(format.agent(), "/h/.agent/log.jsonl"));
    let mut decoder = start(format, None);
    let whole = bytes.len() as u64;
    if format.framing() == Framing::Document {
        decoder.line(Line { bytes, offset: 0, end: whole }, &mut rows);
        return decoder.checkpoint();
    }
    let mut offset = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let end = offset + line.len() as u64;
        decoder.line(Line { bytes: line.strip_suffix(b"\n").unwrap_or(line), offset, end }, &mut rows);
        offset = end;
    }
    decoder.checkpoint()
}

#[test]
fn a_state_of_another_version_starts_its_source_over() {
    let mut formats = 0;
    for format in Format::all().filter(|f| f.framing() != Framing::Database && !f.is_mapped()) {
        let fresh = start(format, None).checkpoint();
        let mut kept = inputs(format).into_iter().map(|input| read(format, &fs::read(input).unwrap()));
        let Some(checkpoint) = kept.find(|c| !c.state.is_empty() && c.high_water > 0) else { continue };
        let (version, state) = checkpoint.state.split_once(' ').unwrap();
        let version: u32 = version.parse().unwrap();
        assert_eq!(start(format, Some(&checkpoint)).checkpoint().resume_at, checkpoint.resume_at, "{}", format.name());
        for other in [format!("{} {state}", version + 1), state.to_owned(), format!(" {state}")] {
            let other = Checkpoint { state: other, ..checkpoint.clone() };
            assert_eq!(start(format, Some(&other)).checkpoint(), fresh, "{}", format.name());
        }
        formats += 1;
    }
    assert!(formats > 20, "{formats} formats keep a state");
}
