//! Claude Code.

/// Placeholder until the decoder lands.
#[derive(Debug, Default)]
pub struct SessionDecoder;
impl SessionDecoder {
    /// New.
    #[must_use]
    pub fn new(_info: super::SourceInfo<'_>, _checkpoint: Option<&crate::schema::Checkpoint>) -> Self {
        Self
    }
}
impl super::Decoder for SessionDecoder {
    fn line(&mut self, _line: super::Line<'_>, _rows: &mut crate::schema::Rows) {}
    fn settle(&mut self, _rows: &mut crate::schema::Rows) {}
    fn provisional(&self, _rows: &mut crate::schema::Rows) {}
    fn is_open(&self) -> bool {
        false
    }
    fn checkpoint(&self) -> crate::schema::Checkpoint {
        crate::schema::Checkpoint::default()
    }
    fn born_us(&self) -> Option<i64> {
        None
    }
}

/// Placeholder until the decoder lands.
#[derive(Debug, Default)]
pub struct HistoryDecoder;
impl HistoryDecoder {
    /// New.
    #[must_use]
    pub fn new(_info: super::SourceInfo<'_>, _checkpoint: Option<&crate::schema::Checkpoint>) -> Self {
        Self
    }
}
impl super::Decoder for HistoryDecoder {
    fn line(&mut self, _line: super::Line<'_>, _rows: &mut crate::schema::Rows) {}
    fn settle(&mut self, _rows: &mut crate::schema::Rows) {}
    fn provisional(&self, _rows: &mut crate::schema::Rows) {}
    fn is_open(&self) -> bool {
        false
    }
    fn checkpoint(&self) -> crate::schema::Checkpoint {
        crate::schema::Checkpoint::default()
    }
    fn born_us(&self) -> Option<i64> {
        None
    }
}
