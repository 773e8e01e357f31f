//! A statement of SQL, read from text, and whether it only reads.

use datafusion::error::DataFusionError;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use datafusion::sql::sqlparser::tokenizer::TokenWithSpan;

use super::error::{QueryError, syntax};
use super::guard;

/// Reads one statement.
///
/// # Errors
///
/// No statement, several, or text that is no SQL.
pub(super) fn parse(sql: &str) -> Result<(Statement, Vec<TokenWithSpan>), QueryError> {
    let tokens = guard::tokens(sql)?;
    let parser = DFParserBuilder::new(sql).with_dialect(&guard::SqlDialect).with_recursion_limit(100).build();
    let statements = parser.and_then(|mut p| p.parse_statements());
    let mut statements = statements.map_err(|e| match e.find_root() {
        DataFusionError::SQL(inner, _) => syntax(inner),
        other => QueryError::Syntax { message: other.strip_backtrace(), place: None },
    })?;
    match (statements.len(), statements.pop_front()) {
        (1, Some(statement)) => Ok((statement, tokens)),
        (found, _) => Err(QueryError::NotOneStatement { found }),
    }
}

/// Accepts statements that only read.
///
/// # Errors
///
/// [`QueryError::ReadOnly`] for all others.
pub(super) fn only_reads(statement: &Statement) -> Result<(), QueryError> {
    match statement {
        Statement::Explain(explain) => only_reads(&explain.statement),
        Statement::Statement(inner) => match &**inner {
            SqlStatement::Query(_) | SqlStatement::ExplainTable { .. } => Ok(()),
            SqlStatement::Explain { statement, .. } if matches!(**statement, SqlStatement::Query(_)) => Ok(()),
            other => Err(QueryError::ReadOnly { what: first_word(&other.to_string()) }),
        },
        other => Err(QueryError::ReadOnly { what: first_word(&other.to_string()) }),
    }
}

/// Accepts a `SELECT`, for a view.
///
/// # Errors
///
/// [`QueryError::ReadOnly`] for all others.
pub(super) fn only_select(statement: &Statement) -> Result<(), QueryError> {
    match statement {
        Statement::Statement(inner) if matches!(**inner, SqlStatement::Query(_)) => Ok(()),
        other => Err(QueryError::ReadOnly { what: first_word(&other.to_string()) }),
    }
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_uppercase()
}
