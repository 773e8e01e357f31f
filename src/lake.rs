//! What is durable?

mod part;
mod snapshot;

pub use part::Part;
pub use snapshot::Snapshot;
