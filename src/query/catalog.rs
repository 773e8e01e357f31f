//! Names in SQL: the tables of a cut, and views that are planned when first used.
//!
//! - planning all views costs more than answering `SELECT 1`, so a view costs nothing until it is named
//! - a view may use others; a view that needs itself is an error, not an endless loop
//! - a broken view of the user fails only the queries that name it

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::TableReference;
use datafusion::datasource::ViewTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;

use super::error::{QueryError, Surroundings};
use super::headers;
use super::position::place_of;
use super::statement::{only_select, parse};
use super::times;
use super::views::View;
use crate::text::nearest;

tokio::task_local! {
    /// Views being planned, outermost first.
    static PLANNING: Vec<String>;
}

type Found = Result<Option<Arc<dyn TableProvider>>, DataFusionError>;

/// The one schema of an engine.
pub(super) struct Names {
    tables: BTreeMap<String, Arc<dyn TableProvider>>,
    views: BTreeMap<String, View>,
    planned: Mutex<BTreeMap<String, Arc<dyn TableProvider>>>,
    session: OnceLock<Weak<SessionState>>,
    surroundings: Surroundings,
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").field("tables", &self.tables.keys()).field("views", &self.views.keys()).finish()
    }
}

impl Names {
    pub(super) fn new(
        tables: BTreeMap<String, Arc<dyn TableProvider>>,
        views: BTreeMap<String, View>,
        surroundings: Surroundings,
    ) -> Self {
        Self { tables, views, planned: Mutex::default(), session: OnceLock::new(), surroundings }
    }

    /// Says which session plans the views.
    pub(super) fn attach(&self, session: &Arc<SessionState>) {
        self.session.get_or_init(|| Arc::downgrade(session));
    }

    pub(super) fn tables(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    pub(super) fn views(&self) -> &BTreeMap<String, View> {
        &self.views
    }

    fn knows(&self, name: &str) -> bool {
        self.tables.contains_key(name) || self.views.contains_key(name)
    }

    /// Checks that every table in `references` exists.
    pub(super) fn check(&self, references: &[TableReference], surroundings: &Surroundings) -> Result<(), QueryError> {
        for reference in references {
            let name = reference.table();
            let function =
                || self.session.get().and_then(Weak::upgrade).is_some_and(|s| s.table_functions().contains_key(name));
            if (self.knows(name) || function()) && reference.schema().is_none_or(|s| s == SCHEMA) {
                continue;
            }
            let (tables, views) = (self.tables(), self.views.keys().cloned().collect::<Vec<_>>());
            let near = nearest(name, tables.iter().chain(&views).map(String::as_str)).map(str::to_owned);
            return Err(QueryError::UnknownTable {
                name: reference.to_string(),
                nearest: near,
                place: place_of(&surroundings.tokens, name),
                tables,
                views,
            });
        }
        Ok(())
    }

    async fn find(&self, name: &str) -> Found {
        if let Some(table) = self.tables.get(name) {
            return Ok(Some(Arc::clone(table)));
        }
        let Some(view) = self.views.get(name) else { return Ok(None) };
        let known = self.planned.lock().unwrap_or_else(PoisonError::into_inner).get(name).map(Arc::clone);
        if known.is_some() {
            return Ok(known);
        }
        let mut through = PLANNING.try_with(Clone::clone).unwrap_or_default();
        if through.iter().any(|outer| outer == name) {
            through.push(name.to_owned());
            let circular = QueryError::Circular { name: name.to_owned(), through };
            return Err(DataFusionError::External(Box::new(circular)));
        }
        through.push(name.to_owned());
        let planned = PLANNING.scope(through, Box::pin(self.plan(view))).await;
        let planned = planned.map_err(|e| DataFusionError::External(Box::new(view.blame(e))))?;
        let mut cache = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(name.to_owned(), Arc::clone(&planned));
        Ok(Some(planned))
    }

    async fn plan(&self, view: &View) -> Result<Arc<dyn TableProvider>, QueryError> {
        if let Some(why) = &view.fault {
            return Err(QueryError::UnusableView { name: view.name.clone(), why: why.clone() });
        }
        let closing = || QueryError::Failed { message: "the engine is closing".to_owned() };
        let session = self.session.get().and_then(Weak::upgrade).ok_or_else(closing)?;
        let (mut statement, tokens) = parse(&view.sql)?;
        headers::select_all(&mut statement);
        let surroundings = Surroundings { tokens: Arc::new(tokens), ..self.surroundings.clone() };
        only_select(&statement)?;
        let references = session.resolve_table_references(&statement).map_err(|e| surroundings.explain(e))?;
        self.check(&references, &surroundings)?;
        let plan = session.statement_to_plan(statement).await.map_err(|e| surroundings.explain(e))?;
        let plan = times::complete(plan, &surroundings.tokens).map_err(|e| surroundings.explain(e))?;
        Ok(Arc::new(ViewTable::new(plan, Some(view.sql.to_string()))))
    }
}

/// Name of the schema that all tables and views are in.
pub(super) const SCHEMA: &str = "main";

impl SchemaProvider for Names {
    fn table_names(&self) -> Vec<String> {
        self.tables.keys().chain(self.views.keys()).cloned().collect()
    }

    fn table<'life0, 'life1, 'async_trait>(
        &'life0 self,
        name: &'life1 str,
    ) -> Pin<Box<dyn Future<Output = Found> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(self.find(name))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.knows(name)
    }
}
