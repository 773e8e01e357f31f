//! `sessions.json`: when each session was made.

use crate::adapters::json::Json;
use crate::adapters::line::Parser;
use crate::adapters::time;

/// When the session was made; `None` when the index does not say, is torn or no JSON.
pub(super) fn created_us(index: &str, session: &str) -> Option<i64> {
    let mut found = None;
    let read = |json: Json<'_, '_>| {
        let own = |item: &Json<'_, '_>| ["sessionId", "session_id"].iter().any(|k| item.str_at(k) == Some(session));
        found = json.items().find(own).and_then(created_of);
    };
    Parser::default().each(index.as_bytes(), read).ok()?;
    found
}

/// When the session of an entry was made.
pub(super) fn created_of(entry: Json<'_, '_>) -> Option<i64> {
    let date = entry.get("dateCreated").or_else(|| entry.get("date_created"))?;
    date.as_f64().or_else(|| date.as_str()?.parse().ok()).and_then(us_of)
}

/// Microseconds of a time in seconds with a fraction, or in milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "the guard keeps it in range")]
fn us_of(number: f64) -> Option<i64> {
    if !number.is_finite() || !(1e8..1e14).contains(&number) {
        return None;
    }
    Some(if number < 1e11 { (number * 1e6) as i64 } else { time::unix_us(number as i64) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_texts_of_milliseconds_or_of_seconds() {
        let index = r#"[{"sessionId":"a","dateCreated":"1734518111194"},{"session_id":"b","date_created":"1697509954.25"},
            {"sessionId":"c","dateCreated":"soon"}]"#;
        assert_eq!(created_us(index, "a"), Some(1_734_518_111_194_000));
        assert_eq!(created_us(index, "b"), Some(1_697_509_954_250_000));
        assert_eq!(created_us(index, "c"), None);
        assert_eq!(created_us("[{\"sessionId\":\"a\"", "a"), None);
    }
}
