//! How a report is shown.

/// How a report is shown.
#[derive(Debug, Clone, Default)]
pub struct ReportOptions {
    /// Columns of the terminal; `None` when there is no terminal.
    pub width: Option<usize>,
    /// The terminal shows colours.
    pub color: bool,
    /// JSON instead of a table.
    pub json: bool,
    /// The present instant, microseconds since 1970: a day that is not over yet is not cut by an end of
    /// the range that lies ahead.
    pub now_us: Option<i64>,
    /// Why rows are missing that stand in the logs.
    pub lacking: Vec<String>,
    /// What no answer shows: links that are not followed, stores that only their own program reads.
    pub not_read: Vec<String>,
}
