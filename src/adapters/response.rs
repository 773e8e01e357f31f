//! What a tool answered in the forms of Google's API (`functionResponse`) and of the programs that show it.

use crate::adapters::fields::{small, text_or_json};
use crate::adapters::json::Json;
use crate::adapters::tool::diff_lines;

/// What the tool answered: `output` or `error` of each function response, or the response itself.
pub(super) fn output(answer: Json<'_, '_>) -> String {
    let one = |item: Json<'_, '_>| {
        let Some(response) = item.path(&["functionResponse", "response"]) else {
            return item.get("text").map_or_else(|| text_or_json(item), text_or_json);
        };
        let said = ["output", "error"].iter().find_map(|key| response.get(key).filter(|r| !r.is_null()));
        match said {
            Some(said) => text_or_json(said),
            None if response.is_empty() && response.is_object() => String::new(),
            None => text_or_json(response),
        }
    };
    if answer.is_array() {
        answer.items().map(one).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
    } else if answer.is_object() {
        one(answer)
    } else {
        text_or_json(answer)
    }
}

/// What the user saw of a result as text, and the lines that an edit changed.
pub(super) fn shown(display: Json<'_, '_>) -> (Option<String>, Option<(i32, i32)>) {
    if let Some(text) = display.as_str() {
        return (Some(text.to_owned()), None);
    }
    if display.is_array() {
        // Lines of a terminal, each a list of pieces with colours.
        let line = |line: Json<'_, '_>| line.items().filter_map(|piece| piece.str_at("text")).collect::<String>();
        return (Some(display.items().map(line).collect::<Vec<_>>().join("\n")), None);
    }
    let diff = display.str_at("fileDiff");
    let counted = diff.and_then(diff_lines);
    let stat = |key: &str| display.path(&["diffStat", key]).and_then(Json::as_i64).and_then(small);
    let sum = |model: &str, user: &str| stat(model).map(|n| n.saturating_add(stat(user).unwrap_or(0)));
    let added = sum("model_added_lines", "user_added_lines");
    let lines = added.zip(sum("model_removed_lines", "user_removed_lines")).or(counted);
    (diff.map(str::to_owned), lines)
}
