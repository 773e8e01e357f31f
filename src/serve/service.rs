//! What the server asks of its process.

use std::path::Path;

use super::refusal::Refusal;
use super::reply::Reply;
use super::told::{Ended, Told};
use super::{Request, Status};

/// What the server asks of its process.
pub trait Service: Send + Sync + 'static {
    /// How it is.
    fn status(&self) -> Status;

    /// Sends the answer to a query: a preface, then an Arrow IPC stream.
    ///
    /// # Errors
    ///
    /// Why there is none, or no whole one.
    fn answer(&self, request: &Request, reply: &mut Reply<'_>) -> Result<(), Refusal>;

    /// Does work on a lake for another process; `tell` answers whether it still waits.
    fn work(&self, _lake: &Path, _job: &serde_json::Value, _tell: &mut dyn FnMut(Told) -> bool) -> Ended {
        Ended::Failed("this devlog does no work for others".to_owned())
    }

    /// Called now and then, to put away what nobody has needed for long.
    fn tidy(&self) {}
}
