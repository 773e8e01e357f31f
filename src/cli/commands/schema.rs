//! `schema`: the columns of the tables, from the embedded schema files.

use serde_json::json;

use super::super::args::SchemaArgs;
use super::super::table::{Align, Table};
use super::super::{CliError, Outcome, Streams};

use super::{answer, answer_json};
use crate::config::Terminal;
use crate::schema::{self, tables};
use crate::text::nearest;

/// Prints the columns of one table or of all.
pub(in super::super) fn run(
    args: &SchemaArgs,
    terminal: Terminal,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let known = tables();
    let chosen: Vec<&schema::Table> = match &args.table {
        None => known.to_vec(),
        Some(name) => vec![*known.iter().find(|table| table.name == *name).ok_or_else(|| unknown(name))?],
    };
    if args.json {
        let tables: Vec<_> = chosen.iter().map(|table| as_json(table)).collect();
        return answer_json(streams, &tables).map(|()| Outcome::Done);
    }
    for (i, table) in chosen.iter().enumerate() {
        if i > 0 {
            answer(streams, "")?;
        }
        answer(streams, &format!("{} (version {}): {}\n", table.name, table.version, table.doc))?;
        let mut printed = Table::new(&[
            ("column", Align::Left),
            ("type", Align::Left),
            ("null", Align::Left),
            ("unit", Align::Left),
            ("meaning", Align::Left),
        ]);
        for column in &table.columns {
            printed.row([
                column.name.clone(),
                column.kind.name().to_owned(),
                if column.nullable { "yes" } else { "no" }.to_owned(),
                column.unit.clone().unwrap_or_default(),
                column.doc.clone(),
            ]);
        }
        // Documentation is read, not skimmed: nothing is cut.
        let columns = terminal.columns.filter(|_| terminal.stdout);
        printed.write_wrapped(streams.out, columns).map_err(|source| CliError::Output { source })?;
    }
    Ok(Outcome::Done)
}

fn unknown(name: &str) -> CliError {
    #[cfg(feature = "query")]
    if crate::query::view_names().any(|view| view == name) {
        return CliError::IsView { name: name.to_owned() };
    }
    let known: Vec<&'static str> = tables().iter().map(|table| table.name.as_str()).collect();
    CliError::UnknownTable { name: name.to_owned(), nearest: nearest(name, known.iter().copied()), known }
}

fn as_json(table: &schema::Table) -> serde_json::Value {
    let columns: Vec<_> = table
        .columns
        .iter()
        .map(|column| {
            json!({
                "name": column.name,
                "type": column.kind.name(),
                "nullable": column.nullable,
                "unit": column.unit,
                "doc": column.doc,
            })
        })
        .collect();
    json!({"table": table.name, "version": table.version, "doc": table.doc, "columns": columns})
}
