//! What is known of each agent, and how a described format reads a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::OpError;
use super::{AgentFound, Tried, Unreadable, looked};
use crate::adapters::{Line, SourceInfo, mapped};
use crate::backfill;
use crate::config::Settings;
use crate::discover::{Root, expand, mapped_roots, roots};
use crate::pipeline::{limits_for, now_us, projected_positions};
use crate::schema::{Compression, Format, Mapping, RowContext, Rows, SourcePosition, Usage};
use crate::watch::Opened;

/// Every agent: the built-in ones, those that the user describes, and those whose rows are in the lake.
pub(crate) fn adapters(settings: &Settings) -> Result<Vec<AgentFound>, OpError> {
    let core = backfill::open_reader(settings).map_err(|source| OpError::failed("reading the lake", source))?;
    let survey = backfill::look_around(settings, &backfill::scope(settings), &core);
    let mut all: BTreeMap<String, AgentFound> = BTreeMap::new();
    for format in Format::all().filter(|format| !format.is_mapped()) {
        let agent = named(&mut all, format.agent());
        agent.usage = better(agent.usage, format.usage());
    }
    for mapping in &settings.own.mappings {
        let agent = named(&mut all, mapping.agent);
        agent.described_in = Some(mapping.path.clone());
        agent.usage = usage_of(mapping);
    }
    let places = roots(&settings.places);
    for root in places.iter().chain(&mapped_roots(&settings.own.mappings)).chain(survey.project_roots()) {
        let agent = named(&mut all, root.agent);
        place(agent, root);
        looked::look(agent, root);
    }
    for position in projected_positions(&survey, &core.positions()) {
        let agent = named(&mut all, &position.agent);
        count(agent, &position);
        looked::count(agent, &position);
    }
    for note in &survey.notes {
        all.values_mut().for_each(|agent| looked::note(agent, note));
    }
    for (agent, rows) in super::lake::rows_by_agent(&core.snapshot()) {
        let agent = named(&mut all, &agent);
        (agent.rows, agent.rejects) = (rows.events, rows.rejects);
    }
    for unreadable in unreadable(settings) {
        named(&mut all, &unreadable.agent).unreadable.push(unreadable);
    }
    #[cfg(feature = "query")]
    ask_lake(settings, &mut all);
    Ok(all.into_values().collect())
}

fn named<'a>(all: &'a mut BTreeMap<String, AgentFound>, agent: &str) -> &'a mut AgentFound {
    all.entry(agent.to_owned()).or_insert_with(|| AgentFound {
        agent: agent.to_owned(),
        usage: Usage::None.as_str(),
        ..AgentFound::default()
    })
}

/// The word for the better of two sources of usage.
fn better(known: &'static str, other: Usage) -> &'static str {
    let order = [Usage::Reported, Usage::Derived, Usage::Partial, Usage::Estimated, Usage::None];
    let words = order.map(Usage::as_str);
    words.into_iter().find(|word| *word == known || *word == other.as_str()).unwrap_or(known)
}

fn usage_of(mapping: &Mapping) -> &'static str {
    let mut targets = mapping.columns.iter().chain(&mapping.document).map(|(target, _)| target.name);
    let has = targets.any(|name| matches!(name, "input_tokens" | "output_tokens" | "cache_read_tokens"));
    if has { Usage::Reported.as_str() } else { Usage::None.as_str() }
}

/// Notes a place; it counts as found when one of the things that may hold logs is there.
fn place(agent: &mut AgentFound, root: &Root) {
    agent.places.insert(root.path.clone());
    for root in expand(root) {
        let there = |path: &Path| std::fs::symlink_metadata(path).is_ok();
        if root.folders().chain(root.files()).any(|path| there(&path)) {
            agent.roots.insert(root.path);
        }
    }
}

fn count(agent: &mut AgentFound, position: &SourcePosition) {
    agent.sources += u64::from(!position.missing);
    agent.errors += u64::from(position.last_error.is_some());
    // Of builds without SQL the files' own times are the best that is known.
    let modified_us = position.fingerprint.modified_ns / 1000;
    let known = |us: i64| (us != 0).then_some(us);
    agent.first_us = [agent.first_us, known(position.born_us)].into_iter().flatten().min();
    agent.last_us = agent.last_us.max(known(modified_us));
}

/// Logs that are there and cannot be read at all, and why.
fn unreadable(settings: &Settings) -> Vec<Unreadable> {
    let folder = settings.home.join("adapters");
    let broken = settings.own.broken.iter().map(|(name, why)| Unreadable {
        agent: name.clone(),
        path: folder.join(format!("{name}.toml")),
        why: why.clone(),
    });
    let stores = crate::discover::unreadable(&settings.places).into_iter().map(|store| Unreadable {
        agent: store.agent.to_owned(),
        path: store.path,
        why: store.why.to_owned(),
    });
    broken.chain(stores).collect()
}

/// Replaces what the positions tell by what the rows in the lake tell.
#[cfg(feature = "query")]
fn ask_lake(settings: &Settings, all: &mut BTreeMap<String, AgentFound>) {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

    // A time that no record has, but only its file, is none of the agent's.
    let sql = "SELECT agent, count(DISTINCT session_id) AS sessions, \
               min(ts) FILTER (WHERE ts_source <> 'inferred') AS first_at, \
               max(ts) FILTER (WHERE ts_source <> 'inferred') AS last_at, count(*) AS rows FROM events GROUP BY 1";
    let plan = super::QueryPlan { sql: sql.to_owned(), sync: false, ..super::QueryPlan::default() };
    let answer = match super::rows::rows(settings, &plan, &mut |_| {}) {
        Ok(answer) => answer,
        Err(error) => return tracing::warn!("sessions and times are those of the files: {error}"),
    };
    for agent in all.values_mut() {
        (agent.first_us, agent.last_us, agent.rows) = (None, None, 0);
    }
    for batch in answer.filter_map(Result::ok) {
        let time = |i: usize| batch.column(i).as_primitive_opt::<TimestampMicrosecondType>();
        let columns =
            (batch.column(0).as_string_view_opt(), batch.column(1).as_primitive_opt::<Int64Type>(), time(2), time(3));
        let (Some(agents), Some(sessions), Some(first), Some(last)) = columns else { return };
        let Some(rows) = batch.column(4).as_primitive_opt::<Int64Type>() else { return };
        for (i, name) in agents.iter().enumerate() {
            let agent = named(all, name.unwrap_or_default());
            agent.sessions = u64::try_from(sessions.value(i)).ok();
            let known = |times: &arrow::array::TimestampMicrosecondArray| times.is_valid(i).then(|| times.value(i));
            (agent.first_us, agent.last_us) = (known(first), known(last));
            agent.rows = u64::try_from(rows.value(i)).unwrap_or_default();
        }
    }
}

/// Decodes the file at `path` as `mapping` says, and keeps nothing.
pub(crate) fn try_mapping(settings: &Settings, mapping: &Arc<Mapping>, path: &Path) -> Result<Tried, OpError> {
    let failed = |source| OpError::Read { path: path.to_owned(), source };
    let bytes = contents(path, limits_for(settings.memory_bytes).max_line).map_err(failed)?;
    let shown = path.to_string_lossy();
    let modified = std::fs::metadata(path).and_then(|m| m.modified()).ok();
    let modified_us = modified.and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
    let info = SourceInfo {
        path: &shown,
        companions: &[],
        modified_us: i64::try_from(modified_us.as_micros()).unwrap_or_default(),
        zone: settings.log_zone,
    };
    let mut context = RowContext::new(mapping.agent, &shown);
    context.machine_id = Some(settings.machine_id.as_str().into());
    context.user_name = Some(settings.user_name.as_str().into());
    context.now_us = now_us();
    let mut rows = Rows::new(context).with_folders(backfill::stamp(settings).folders);
    let mut decoder = mapped::decoder(mapping, info, None);
    match mapping.packing {
        Compression::Document => {
            decoder.line(Line { bytes: &bytes, offset: 0, end: bytes.len() as u64 }, &mut rows);
        }
        Compression::Lines => {
            let mut offset = 0;
            for line in bytes.split_inclusive(|b| *b == b'\n') {
                let end = offset + line.len() as u64;
                decoder.line(Line { bytes: line.strip_suffix(b"\n").unwrap_or(line), offset, end }, &mut rows);
                offset = end;
            }
        }
    }
    Ok(Tried { counts: rows.take_counts(), batch: rows.finish() })
}

/// What stands in a file, unpacked, of at most `most_bytes`.
fn contents(path: &Path, most_bytes: usize) -> std::io::Result<Vec<u8>> {
    let opened = Opened::open(path)?;
    let Some(bytes) = opened.content(most_bytes)? else {
        let text = format!("it has more than {most_bytes} bytes; try a part of it, or a larger --memory");
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, text));
    };
    Ok(bytes)
}

/// Places of an agent that a person wants to see: those that exist, else those that were looked at.
pub(crate) fn shown_places(agent: &AgentFound) -> &BTreeSet<PathBuf> {
    if agent.roots.is_empty() { &agent.places } else { &agent.roots }
}
