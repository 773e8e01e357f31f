//! One instant of ring and lake as the query room sees it, and what queries may use.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Settings, read_view};
use crate::pipeline::Core;
use crate::query::{Cut, EngineOptions, Sources, growth};
use crate::schema::sources_batch;

/// What the query room sees of a core.
pub(super) fn query_cut(core: &Core) -> Cut {
    let cut = core.cut();
    let (durable, moved) = (Arc::clone(&cut.lake), cut.positions);
    let sources = Sources::lazy(move || {
        let mut sources = std::collections::HashMap::clone(&durable.sources);
        sources.extend(moved);
        let mut sources: Vec<_> = sources.into_values().collect();
        sources.sort_by(|a, b| (&a.agent, &a.path).cmp(&(&b.agent, &b.path)));
        sources_batch(sources.iter().map(|p| &**p))
    });
    Cut {
        events: cut.events,
        rejects: cut.rejects,
        replaced: Arc::new(cut.replaced.into_iter().collect()),
        sources,
        lake: cut.lake,
    }
}

/// What queries of this process may use.
pub(super) fn engine_options(settings: &Settings, timezone: &str, timeout: Option<Duration>) -> EngineOptions {
    let memory_bytes = super::memory::for_queries(settings);
    EngineOptions {
        memory_bytes,
        growth_bytes: Some(growth(memory_bytes)),
        spill_dir: settings.home.join("spill"),
        timezone: timezone.to_owned(),
        user_queries: Some(settings.home.join("queries")),
        read_view,
        timeout,
        threads: 0,
    }
}

/// Views of the user's own that cannot be used, and why.
pub(crate) fn broken_views(settings: &Settings) -> Vec<String> {
    let tables = crate::schema::tables().map(|table| table.name.as_str());
    crate::query::broken_views(&settings.home.join("queries"), &tables, read_view)
}
