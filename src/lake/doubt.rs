//! Finding out what became of a commit whose answer was lost.
//!
//! An entry whose name stands in the log but whose sync failed is neither durable nor undone. It is
//! written once more, as the same transaction: what stands there already is found to be it, and the sync
//! that follows covers it. Until that succeeds nothing else is committed.

use std::sync::{Arc, MutexGuard};

use super::Snapshot;
use super::entry::Entry;
use super::error::LakeError;
use super::handle::{InDoubt, Lake, Writer};

impl Lake {
    /// Makes the commit durable that [`Lake::commit`] could not vouch for, and returns the version that
    /// shows it. Its rows are not to be committed again.
    ///
    /// # Errors
    ///
    /// While that is still impossible; the commit stays in doubt.
    pub fn settle(&self) -> Result<Arc<Snapshot>, LakeError> {
        self.settle_with(&mut self.writer())?;
        Ok(self.snapshot())
    }

    fn settle_with(&self, writer: &mut Writer) -> Result<(), LakeError> {
        let entry = match &writer.doubt {
            None => return Ok(()),
            Some(InDoubt::Foreign(path)) => return Err(LakeError::OtherWriter { path: path.clone() }),
            Some(InDoubt::Ours { entry, .. }) => Entry::clone(entry),
        };
        let (crc32c, bytes) = self.log.write(&entry, true)?;
        writer.doubt = None;
        self.show(writer, entry, crc32c, bytes, &[]).map(drop)
    }

    /// What only one thread may change, once no commit is in doubt any more.
    pub(crate) fn ready(&self) -> Result<MutexGuard<'_, Writer>, LakeError> {
        let mut writer = self.writer();
        match &writer.doubt {
            Some(InDoubt::Ours { entry, is_awaited: true }) => {
                Err(LakeError::Unresolved { path: self.log.path(entry.version) })
            }
            _ => {
                self.settle_with(&mut writer)?;
                Ok(writer)
            }
        }
    }
}
