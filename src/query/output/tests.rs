//! Every format, written and where possible read back.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, StringViewArray};
use arrow::array::{Date32Array, TimestampMicrosecondArray};

use super::*;

fn batch() -> RecordBatch {
    let time = TimestampMicrosecondArray::from(vec![Some(1_767_225_600_000_000), None]).with_timezone("UTC");
    let money = Decimal128Array::from(vec![Some(1_500_000_000), None]).with_precision_and_scale(18, 9).unwrap();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("ts", Arc::new(time)),
        ("text", Arc::new(StringViewArray::from(vec![Some("a|b, \"q\"\n\u{1b}[31m<x>"), Some("")]))),
        ("n", Arc::new(Int64Array::from(vec![Some(1_234_567), None]))),
        ("f", Arc::new(Float64Array::from(vec![Some(0.5), None]))),
        ("ok", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("usd", Arc::new(money)),
        ("day", Arc::new(Date32Array::from(vec![Some(20_454), None]))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap()
}

fn bytes(format: OutputFormat, options: &OutputOptions) -> Vec<u8> {
    let batch = batch();
    let mut out = Vec::new();
    let mut output = Output::new(format, &batch.schema(), &mut out, options).unwrap();
    assert_eq!(output.write(&batch).unwrap(), More::Wanted);
    assert_eq!(output.finish().unwrap(), Written { rows: 2, cut: false });
    out
}

fn text(format: OutputFormat) -> String {
    let zone = Zone::named("Europe/Berlin").unwrap();
    String::from_utf8(bytes(format, &OutputOptions { zone, ..OutputOptions::default() })).unwrap()
}

#[test]
fn text_formats_are_exact() {
    assert_eq!(
        text(OutputFormat::Csv),
        "ts,text,n,f,ok,usd,day\n2026-01-01T00:00:00Z,\"a|b, \"\"q\"\"\n\u{1b}[31m<x>\",1234567,0.5,true,1.500000000,\
         2026-01-01\n,\"\",,,,,\n"
    );
    assert_eq!(
        text(OutputFormat::Tsv),
        "ts\ttext\tn\tf\tok\tusd\tday\n2026-01-01T00:00:00Z\ta|b, \"q\"\\n\u{1b}[31m<x>\t1234567\t0.5\ttrue\t\
         1.500000000\t2026-01-01\n\\N\t\t\\N\t\\N\t\\N\t\\N\t\\N\n"
    );
    assert_eq!(
        text(OutputFormat::Markdown),
        "| ts | text | n | f | ok | usd | day |\n| --- | --- | ---: | ---: | --- | ---: | --- |\n\
         | 2026-01-01 01:00:00 | a\\|b, \"q\"<br>␛[31m&lt;x> | 1234567 | 0.5 | true | 1.500000000 | 2026-01-01 |\n\
         | NULL |  | NULL | NULL | NULL | NULL | NULL |\n"
    );
    insta::assert_snapshot!(text(OutputFormat::Table), @r#"
    ts                   text                     n     f  ok            usd  day
    ───────────────────  ─────────────────  ───────  ────  ────  ───────────  ──────────
    2026-01-01 01:00:00  a|b, "q"↵␛[31m<x>  1234567   0.5  true  1.500000000  2026-01-01
    NULL                                       NULL  NULL  NULL         NULL  NULL
    "#);
}

#[test]
fn json_is_valid_and_says_null() {
    let whole: serde_json::Value = serde_json::from_str(&text(OutputFormat::Json)).unwrap();
    let lines: Vec<serde_json::Value> =
        text(OutputFormat::Ndjson).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(whole.as_array().unwrap(), &lines);
    assert_eq!(lines[0]["ts"], "2026-01-01T00:00:00Z");
    assert_eq!(lines[0]["n"], 1_234_567);
    assert_eq!(lines[0]["text"], "a|b, \"q\"\n\u{1b}[31m<x>");
    assert_eq!(lines[1]["n"], serde_json::Value::Null);
    assert_eq!(lines[1].as_object().unwrap().len(), 7);
}

#[test]
fn an_empty_answer_is_still_valid_in_every_format() {
    let schema = batch().schema();
    for (name, format) in FORMATS {
        let mut out = Vec::new();
        Output::new(format, &schema, &mut out, &OutputOptions::default()).unwrap().finish().unwrap();
        match format {
            OutputFormat::Json => assert_eq!(out, b"[]\n"),
            OutputFormat::Ndjson => assert_eq!(out, b""),
            _ => assert!(!out.is_empty(), "{name}"),
        }
    }
}

#[test]
fn files_read_back_equal_in_types_that_every_reader_knows() {
    let mut wanted = Vec::new();
    let plain = plain::schema(&batch().schema());
    plain::hand_on(&batch(), &plain, &mut |piece| -> Result<(), ArrowError> {
        wanted.push(piece.clone());
        Ok(())
    })
    .unwrap();
    assert_eq!(plain.field(1).data_type(), &arrow::datatypes::DataType::Utf8);
    let wanted = wanted.remove(0);
    let options = OutputOptions::default();
    let parquet = bytes(OutputFormat::Parquet, &options);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    std::fs::write(&path, parquet).unwrap();
    let file = std::fs::File::open(&path).unwrap();
    let mut reader =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    assert_eq!(reader.next().unwrap().unwrap(), wanted);
    let stream = bytes(OutputFormat::ArrowStream, &options);
    let mut reader = arrow::ipc::reader::StreamReader::try_new(stream.as_slice(), None).unwrap();
    assert_eq!(reader.next().unwrap().unwrap(), wanted);
    let file = bytes(OutputFormat::Arrow, &options);
    let mut reader = arrow::ipc::reader::FileReader::try_new(io::Cursor::new(file), None).unwrap();
    assert_eq!(reader.next().unwrap().unwrap(), wanted);
}

#[test]
fn a_terminal_gets_no_escapes_in_any_text_format() {
    let options = OutputOptions { terminal: true, width: Some(80), ..OutputOptions::default() };
    for (name, format) in FORMATS.into_iter().filter(|(_, f)| !f.is_binary()) {
        assert!(!bytes(format, &options).contains(&0x1b), "{name}");
    }
}

#[test]
fn a_full_table_wants_no_more_rows_and_says_so() {
    let options = OutputOptions { max_rows: Some(3), ..OutputOptions::default() };
    let mut out = Vec::new();
    let mut output = Output::new(OutputFormat::Table, &batch().schema(), &mut out, &options).unwrap();
    assert_eq!(output.write(&batch()).unwrap(), More::Wanted);
    assert_eq!(output.write(&batch()).unwrap(), More::Enough);
    assert_eq!(output.finish().unwrap(), Written { rows: 3, cut: true });
}

#[test]
fn a_table_of_any_length_is_written_whole_and_in_bounded_memory() {
    let rows = 25_000;
    let n = Int64Array::from_iter_values(0..rows);
    let text = StringViewArray::from_iter_values((0..rows).map(|i| "x".repeat(usize::try_from(i % 300).unwrap())));
    let batch = RecordBatch::try_from_iter([("n", Arc::new(n) as ArrayRef), ("text", Arc::new(text))]).unwrap();
    let mut out = Vec::new();
    let mut output = Output::new(OutputFormat::Table, &batch.schema(), &mut out, &OutputOptions::default()).unwrap();
    for start in (0..25_000).step_by(5_000) {
        assert_eq!(output.write(&batch.slice(start, 5_000)).unwrap(), More::Wanted);
    }
    assert_eq!(output.finish().unwrap(), Written { rows: 25_000, cut: false });
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.lines().count(), 25_002);
    assert!(text.contains(&format!("299  {}\n", "x".repeat(299))));
}

#[test]
fn a_screen_cuts_texts_and_never_ids() {
    let id = "0123456789abcdef0123456789abcdef";
    let words = "many words that do not fit in here ".repeat(9);
    let columns: [(&str, ArrayRef); 2] = [
        ("event_id", Arc::new(StringViewArray::from_iter_values([id]))),
        ("text", Arc::new(StringViewArray::from_iter_values([&words]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let show = |width| {
        let mut out = Vec::new();
        let options = OutputOptions { width, terminal: width.is_some(), ..OutputOptions::default() };
        let mut output = Output::new(OutputFormat::Table, &batch.schema(), &mut out, &options).unwrap();
        output.write(&batch).unwrap();
        output.finish().unwrap();
        String::from_utf8(out).unwrap()
    };
    for width in [20, 40, 60, 80, 120] {
        let shown = show(Some(width));
        assert!(shown.contains(id) && !shown.contains(words.trim_end()) && shown.contains('…'), "{shown}");
    }
    assert!(show(None).contains(words.trim_end()), "a pipe gets all of it");
}

/// A reader that leaves after the first bytes.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

#[test]
fn a_reader_that_leaves_is_recognised_in_every_format() {
    for (name, format) in FORMATS {
        let outcome = Output::new(format, &batch().schema(), Gone, &OutputOptions::default()).and_then(|mut output| {
            output.write(&batch())?;
            output.finish()
        });
        assert!(matches!(outcome, Err(OutputError::BrokenPipe)), "{name}: {outcome:?}");
    }
}

#[test]
fn formats_are_known_by_name_and_ending() {
    for (name, format) in FORMATS {
        assert_eq!(name.parse::<OutputFormat>().unwrap(), format);
    }
    for (ending, format) in ENDINGS {
        assert_eq!(OutputFormat::of_path(format!("a/b.c.{ending}").as_ref()), Some(format));
        assert_eq!(OutputFormat::of_path(format!("a.{}", format.ending()).as_ref()), Some(format));
    }
    assert_eq!(OutputFormat::of_path("a/b.JSONL".as_ref()), Some(OutputFormat::Ndjson));
    assert_eq!(OutputFormat::of_path("a/b".as_ref()), None);
    let error = "parkuet".parse::<OutputFormat>().unwrap_err();
    assert_eq!(error.to_string(), "no output format `parkuet`; did you mean `parquet`?");
}
