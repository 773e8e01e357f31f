//! Why there is no answer.

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The query has no answer; the sentence says why.
    Final(String),
    /// It cannot be answered here and now; the client may look for itself.
    Busy(String),
    /// A file of the lake is not there any more; a newer version of the lake may do without it.
    Gone(String),
}
