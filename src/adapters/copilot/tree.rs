//! A JSON document that is changed in place.
//!
//! A value stays JSON text until a change leads inside of it; only the nodes on the way are opened. So
//! a log of changes costs its own size, not that of the document for every line.

use crate::adapters::json::{Json, ObjectWriter, write_str};
use crate::adapters::line::Parser;

/// How far behind its end an array may be written: holes are filled with null.
const MOST_HOLES: usize = 4096;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// As JSON text.
    Text(String),
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// A change that its document does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Misfit;

/// The path in a change's `k`.
pub(super) fn path(json: Json<'_, '_>) -> Option<Vec<Step>> {
    let step = |item: Json<'_, '_>| match (item.as_str(), item.as_i64()) {
        (Some(key), _) => Some(Step::Key(key.to_owned())),
        (None, Some(index)) => usize::try_from(index).ok().map(Step::Index),
        (None, None) => None,
    };
    json.is_array().then(|| json.items().map(step).collect())?
}

impl Node {
    pub(super) const fn object() -> Self {
        Self::Object(Vec::new())
    }

    /// The value, opened at the top if it is an object or array.
    pub(super) fn of(json: Json<'_, '_>) -> Self {
        let text = |v: Json<'_, '_>| Self::Text(v.to_json());
        if json.is_object() {
            let mut members: Vec<(String, Self)> = Vec::with_capacity(json.len());
            for (key, value) in json.entries() {
                match members.iter_mut().find(|(known, _)| known == key) {
                    Some(member) => member.1 = text(value),
                    None => members.push((key.to_owned(), text(value))),
                }
            }
            Self::Object(members)
        } else if json.is_array() {
            Self::Array(json.items().map(text).collect())
        } else {
            text(json)
        }
    }

    fn open(&mut self, parser: &mut Parser) {
        if let Self::Text(text) = self {
            let mut opened = None;
            let text = std::mem::take(text);
            if parser.each(text.as_bytes(), |json| opened = Some(Self::of(json))).is_ok()
                && let Some(opened) = opened
            {
                *self = opened;
            } else {
                *self = Self::Text(text);
            }
        }
    }

    /// The node that `step` leads to; made when it is missing.
    fn child(&mut self, step: &Step, parser: &mut Parser) -> Result<&mut Self, Misfit> {
        self.open(parser);
        if matches!(self, Self::Text(text) if text == "null") {
            *self = if matches!(step, Step::Index(_)) { Self::Array(Vec::new()) } else { Self::object() };
        }
        let null = || Self::Text("null".to_owned());
        match (self, step) {
            (Self::Object(members), step) => {
                let name = match step {
                    Step::Key(key) => key.clone(),
                    Step::Index(index) => index.to_string(),
                };
                let at = members.iter().position(|(key, _)| *key == name).unwrap_or_else(|| {
                    members.push((name, null()));
                    members.len() - 1
                });
                Ok(&mut members[at].1)
            }
            (Self::Array(items), Step::Index(index)) => {
                if *index > items.len() + MOST_HOLES {
                    return Err(Misfit);
                }
                if *index >= items.len() {
                    items.resize(index + 1, null());
                }
                Ok(&mut items[*index])
            }
            _ => Err(Misfit),
        }
    }

    fn at(&mut self, path: &[Step], parser: &mut Parser) -> Result<&mut Self, Misfit> {
        path.iter().try_fold(self, |node, step| node.child(step, parser))
    }

    /// Puts a value at the end of `path`; without one the member is removed.
    pub(super) fn set(&mut self, path: &[Step], value: Option<Self>, parser: &mut Parser) -> Result<(), Misfit> {
        match value {
            Some(value) => *self.at(path, parser)? = value,
            None => self.delete(path, parser)?,
        }
        Ok(())
    }

    /// Removes what is at the end of `path`; an item of an array becomes null.
    pub(super) fn delete(&mut self, path: &[Step], parser: &mut Parser) -> Result<(), Misfit> {
        let (last, before) = path.split_last().ok_or(Misfit)?;
        let parent = self.at(before, parser)?;
        parent.open(parser);
        match (parent, last) {
            (Self::Object(members), Step::Key(name)) => members.retain(|(key, _)| key != name),
            (Self::Array(items), Step::Index(index)) => {
                if let Some(item) = items.get_mut(*index) {
                    *item = Self::Text("null".to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Appends values to the array at the end of `path`, after cutting it off at `from`.
    pub(super) fn push(
        &mut self,
        path: &[Step],
        values: Vec<Self>,
        from: Option<usize>,
        parser: &mut Parser,
    ) -> Result<(), Misfit> {
        let array = self.at(path, parser)?;
        array.open(parser);
        if matches!(array, Self::Text(text) if text == "null") {
            *array = Self::Array(Vec::new());
        }
        let Self::Array(items) = array else { return Err(Misfit) };
        if let Some(from) = from {
            items.truncate(from);
        }
        items.extend(values);
        Ok(())
    }

    /// Appends the value as JSON text.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Object(members) => {
                let mut writer = ObjectWriter::new(out);
                for (key, value) in members {
                    writer.with(key, |out| value.write(out));
                }
                writer.end();
            }
            Self::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
        }
    }

    /// JSON text of those members of an open object that `keep` names.
    pub(super) fn members(&self, keep: impl Fn(&str) -> bool) -> String {
        let mut out = String::from("{");
        if let Self::Object(members) = self {
            for (key, value) in members.iter().filter(|(key, _)| keep(key)) {
                if out.len() > 1 {
                    out.push(',');
                }
                write_str(key, &mut out);
                out.push(':');
                value.write(&mut out);
            }
        }
        out.push('}');
        out
    }
}
