//! Columns as every reader of Arrow knows them: texts and bytes as such, not as views.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;

/// Texts of one column in one batch: their offsets have 32 bits.
const MOST_BYTES: u64 = 1 << 30;

fn plain_type(kind: &DataType) -> DataType {
    match kind {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) => DataType::List(plain_field(item)),
        DataType::LargeList(item) => DataType::LargeList(plain_field(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain_field).collect()),
        other => other.clone(),
    }
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let kind = plain_type(field.data_type());
    if kind == *field.data_type() { Arc::clone(field) } else { Arc::new(Field::clone(field).with_data_type(kind)) }
}

/// `schema` without views.
pub(super) fn schema(schema: &SchemaRef) -> SchemaRef {
    let fields: Vec<FieldRef> = schema.fields().iter().map(plain_field).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Bytes of the longest text column.
fn text_bytes(batch: &RecordBatch) -> u64 {
    let bytes = |column: &dyn Array| match column.data_type() {
        DataType::Utf8View => column.as_string_view().lengths().map(u64::from).sum(),
        DataType::BinaryView => column.as_binary_view().lengths().map(u64::from).sum(),
        _ => 0,
    };
    batch.columns().iter().map(|column| bytes(column)).max().unwrap_or_default()
}

/// Hands `batch` on under `schema`, which [`schema`] made, in as many pieces as its texts need.
pub(super) fn hand_on<E: From<ArrowError>>(
    batch: &RecordBatch,
    schema: &SchemaRef,
    to: &mut dyn FnMut(&RecordBatch) -> Result<(), E>,
) -> Result<(), E> {
    let rows = batch.num_rows();
    if rows > 1 && text_bytes(batch) > MOST_BYTES {
        let half = rows / 2;
        hand_on(&batch.slice(0, half), schema, to)?;
        return hand_on(&batch.slice(half, rows - half), schema, to);
    }
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| cast(column, field.data_type()));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    to(&RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}
