//! The part of `adapters` that says where devlog looked, and why nothing came.

use super::super::table::{Align, Table};
use super::super::{CliError, Streams};
use super::{answer, answer_below, short_path};
use crate::config::Settings;
use crate::ops::{AgentFound, Looked, PlaceState};
use crate::text::units;

/// Lists the places that gave nothing, or not all; with `chosen` each place of these agents, else of the places
/// of an agent where nothing is the first one.
pub(super) fn render(
    settings: &Settings,
    agents: &[AgentFound],
    chosen: bool,
    streams: &mut Streams<'_>,
) -> Result<(), CliError> {
    let mut table = Table::new(&[("agent", Align::Left), ("looked in", Align::Left), ("there", Align::Left)]);
    let (mut any, mut folded, mut unread) = (false, false, Vec::new());
    for agent in agents {
        let is_here = agent.is_here();
        let tells = |looked: &&Looked| {
            let is_silent = matches!(looked.state, PlaceState::Logs | PlaceState::NotThere) && looked.notes.is_empty();
            chosen || !is_here || !is_silent
        };
        let (empty, told): (Vec<_>, Vec<_>) =
            agent.looked.iter().filter(tells).partition(|looked| !chosen && looked.state == PlaceState::NotThere);
        let more = match empty.len() {
            0 | 1 => String::new(),
            many => format!(" and {} more", many - 1),
        };
        let empty = empty.first().map(|looked| (*looked, more.as_str()));
        for (looked, more) in told.into_iter().map(|looked| (looked, "")).chain(empty) {
            any = true;
            folded |= !more.is_empty();
            let place = format!("{}{more}", short_path(settings, &looked.path));
            table.row([agent.agent.clone(), place, state(looked)]);
            for note in notes(settings, looked) {
                if !unread.contains(&note) {
                    unread.push(note);
                }
            }
        }
    }
    if !any {
        return Ok(());
    }
    answer(streams, "")?;
    table.write(streams.out, settings.terminal.columns).map_err(|source| CliError::Output { source })?;
    if folded {
        answer(streams, "devlog adapters --agent NAME lists all places of an agent")?;
    }
    unread.iter().try_for_each(|note| answer_below(settings, "not read: ", note, streams))
}

/// Things of one place that are named.
const NAMED: usize = 10;

/// What is at a place.
fn state(looked: &Looked) -> String {
    match looked.state {
        PlaceState::Logs => units::counted(looked.logs, "log"),
        PlaceState::NoLogs => "no logs".to_owned(),
        PlaceState::DanglingLink => "a link to nothing".to_owned(),
        PlaceState::NotReadable => "not readable".to_owned(),
        PlaceState::NotThere => "nothing".to_owned(),
    }
}

/// What of it was not read, one line each.
fn notes(settings: &Settings, looked: &Looked) -> Vec<String> {
    let more = looked.notes.len().saturating_sub(NAMED);
    let place = short_path(settings, &looked.path);
    let more = (more > 0).then(|| format!("{} more in {place}; --json lists all", units::count(more as u64)));
    looked.notes.iter().take(NAMED).cloned().chain(more).collect()
}
