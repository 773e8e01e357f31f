//! What a bubble says, wherever its version of the editor keeps it, and how bubbles are called.

use std::borrow::Cow;

use crate::adapters::json::Json;
use crate::adapters::line::Parser;

/// Texts of a bubble, the best first.
const TEXTS: [&str; 4] = ["text", "rawText", "content", "message"];

/// Fields by which a bubble shows that somebody has said something, or could have.
const FIELDS: [&str; 7] = ["text", "rawText", "content", "message", "initText", "richText", "delegate"];

/// What a prompt may bring along instead of words.
const ATTACHED: [&str; 5] = ["images", "context", "selectedImages", "fileSelections", "selections"];

/// The user's or model's text in a bubble.
pub(super) fn text_of<'i>(bubble: Json<'_, 'i>) -> Option<&'i str> {
    TEXTS.iter().find_map(|key| bubble.str_at(key)).filter(|t| !t.trim().is_empty())
}

/// The words of a prompt. Those of 2023 stand in what was handed to the model (`delegate.a`), or only in the
/// editor's own tree (`initText`, later `richText`).
pub(super) fn words_of<'i>(bubble: Json<'_, 'i>) -> Option<Cow<'i, str>> {
    let handed = || bubble.path(&["delegate", "a"]).and_then(Json::as_str).filter(|t| !t.trim().is_empty());
    text_of(bubble).or_else(handed).map(Cow::Borrowed).or_else(|| {
        let trees = [bubble.get("initText"), bubble.path(&["delegate", "b"]), bubble.get("richText")];
        trees.into_iter().flatten().find_map(tree_text).map(Cow::Owned)
    })
}

/// True when a prompt brings something along.
pub(super) fn is_attached(bubble: Json<'_, '_>) -> bool {
    ATTACHED.iter().any(|key| bubble.get(key).is_some_and(|value| !super::extra::is_blank(value)))
}

/// True for the field in which the next prompt would be written: all of the bubble is here, and it is empty.
pub(super) fn is_empty_field(bubble: Json<'_, '_>) -> bool {
    FIELDS.iter().any(|key| bubble.get(key).is_some()) && words_of(bubble).is_none() && !is_attached(bubble)
}

/// The text of an editor's tree, which is JSON or a text of it: paragraphs, their pieces in a row.
fn tree_text(tree: Json<'_, '_>) -> Option<String> {
    let mut out = String::new();
    match tree.as_str() {
        // A text that is no tree says nothing.
        Some(text) => drop(Parser::default().each(text.as_bytes(), |json| collect(json.get("root"), &mut out))),
        None => collect(tree.get("root"), &mut out),
    }
    let text = out.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn collect(node: Option<Json<'_, '_>>, out: &mut String) {
    let Some(node) = node else { return };
    match node.str_at("type") {
        Some("linebreak") => out.push('\n'),
        Some("paragraph") if !out.is_empty() => out.push('\n'),
        _ => {}
    }
    if let Some(text) = node.get("text").and_then(Json::as_str) {
        out.push_str(text);
    }
    node.get("children").into_iter().flat_map(Json::items).for_each(|child| collect(Some(child), out));
}

/// The bubbles of a list with their ids. The first without one is called "", as the editor's table of bubbles
/// calls it too; the others by their number.
pub(super) fn named<'t, 'i>(
    list: Json<'t, 'i>,
    key: &'static str,
) -> impl Iterator<Item = (Cow<'i, str>, Json<'t, 'i>)> {
    let mut nameless = 0;
    list.items().filter(|bubble| bubble.is_object()).enumerate().map(move |(number, bubble)| {
        let id = bubble.str_at(key).map(Cow::Borrowed).unwrap_or_else(|| {
            nameless += 1;
            if nameless == 1 { Cow::Borrowed("") } else { Cow::Owned(format!("#{number}")) }
        });
        (id, bubble)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(bubble: &str) -> Option<String> {
        let mut words = None;
        Parser::default().each(bubble.as_bytes(), |json| words = words_of(json).map(Cow::into_owned)).unwrap();
        words
    }

    #[test]
    fn the_words_of_a_prompt_are_found_wherever_its_version_keeps_them() {
        let tree = r#"{\"root\":{\"children\":[{\"type\":\"paragraph\",\"children\":[{\"type\":\"text\",\"text\":\"Look at \"},{\"type\":\"mention\",\"text\":\"a.rs\"},{\"type\":\"linebreak\"},{\"type\":\"text\",\"text\":\"now\"}]},{\"type\":\"paragraph\",\"children\":[{\"type\":\"text\",\"text\":\"please\"}]}]}}"#;
        let of_tree = Some("Look at a.rs\nnow\nplease".to_owned());
        assert_eq!(words(&format!(r#"{{"rawText":"","initText":"{tree}"}}"#)), of_tree);
        assert_eq!(words(&format!(r#"{{"text":"","delegate":{{"a":"","b":"{tree}"}}}}"#)), of_tree);
        assert_eq!(words(r#"{"rawText":"","delegate":{"a":"Hi"},"initText":"{torn"}"#), Some("Hi".to_owned()));
        assert_eq!(words(r#"{"text":"Own","delegate":{"a":"Other"}}"#), Some("Own".to_owned()));
        assert_eq!(words(r#"{"rawText":" ","initText":"{\"root\":{\"children\":[{\"children\":[]}]}}"}"#), None);
        assert_eq!(words(r#"{"initText":{"root":{"children":[{"text":"as it is"}]}}}"#), Some("as it is".to_owned()));
    }
}
