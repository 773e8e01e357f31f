//! OpenCode and its kin: Kilo since April 2026 and MiMoCode keep the same database.
//!
//! - since early 2026 `opencode.db`: tables `session`, `message`, `part`; a record's JSON has neither
//!   its own id nor those of its session and message, which are columns; times are milliseconds
//! - before, a tree of JSON files, one a record, which stays behind after the move to the database:
//!   the ids are the same in both, and so are the event ids; the database's record wins
//! - ids rise with time within messages and parts (`msg_`, `prt_`), they fall within sessions (`ses_`)
//! - usage stands on a message, and is repeated by its `step-finish` part and by the session's totals:
//!   only the message is counted (`message`)
//! - a message and its parts are one record here: a call that ends or a text that grows brings its
//!   whole message again, more complete (`store`)
//! - OpenCode 2 keeps its sessions in the same database, in tables of its own ([`newer`]); both generations
//!   are read, each message once. Tables of a third are told as rejects
//! - the journal `event` repeats whole states, `account`, `session_share` and `auth.json` hold
//!   secrets: none is read
//!
//! Source of the facts: databases and exports of versions 1.15 to 1.17, and OpenCode's own
//! `storage/{db,storage}.ts`, `session/message-v2.ts`.

mod document;
mod message;
mod newer;
mod part;
mod session;
mod store;

#[cfg(test)]
mod tests;

use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{DatabaseDecoder, Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(1, decoder).and_databases(database);

/// Decoder of this agent's lines and documents.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    let kind = match format {
        Format::OpencodeSession => document::Kind::Session,
        Format::OpencodeMessage => document::Kind::Message,
        Format::OpencodePart => document::Kind::Part,
        Format::OpencodeExport => document::Kind::Export,
        _ => return None,
    };
    Some(Box::new(document::DocumentDecoder::new(kind, info, checkpoint)))
}

/// Decoder of this agent's databases.
#[must_use]
fn database(format: Format, info: SourceInfo<'_>) -> Option<Box<dyn DatabaseDecoder>> {
    match format {
        Format::OpencodeStore | Format::KiloStore | Format::MimoStore => {
            Some(Box::new(store::StoreDecoder::new(format, info)))
        }
        _ => None,
    }
}
