//! Batches between a process and its worker: frames of an Arrow IPC stream.

use std::io::{self, BufWriter, Read, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use crate::serve::frame::{BatchReader, BatchWriter, Kind, write_frame};

/// Sends `batches`.
pub(super) fn send_batches(out: &mut impl Write, schema: &SchemaRef, batches: &[RecordBatch]) -> io::Result<()> {
    {
        let buffered = BufWriter::with_capacity(256 << 10, BatchWriter(&mut *out));
        let mut writer = StreamWriter::try_new(buffered, schema).map_err(io::Error::other)?;
        for batch in batches {
            writer.write(batch).map_err(io::Error::other)?;
        }
        writer.finish().map_err(io::Error::other)?;
        writer.flush().map_err(io::Error::other)?;
    }
    write_frame(out, Kind::Done, &[])
}

/// Receives them.
pub(super) fn receive_batches(input: &mut impl Read) -> io::Result<Vec<RecordBatch>> {
    let mut pieces = BatchReader::new(input);
    let batches = {
        let reader = StreamReader::try_new(&mut pieces, None).map_err(io::Error::other)?;
        reader.collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?
    };
    // Up to the frame that ends them.
    io::copy(&mut pieces, &mut io::sink())?;
    Ok(batches)
}
