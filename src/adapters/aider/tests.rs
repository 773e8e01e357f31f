//! Tests of the decoders of Aider.

mod chat;
mod corpus;
mod side;
mod traps;

use proptest::prelude::*;
use serde_json::json;

use crate::adapters::tests::{Decoded, decode, provisional, resumes_anywhere};
use crate::schema::{Counts, Format};

const CHAT: &str = "/w/shop/.aider.chat.history.md";

fn chat_of(text: &str) -> Decoded {
    decode(Format::AiderChat, CHAT, text.as_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_bytes_make_a_decoder_panic(lines in prop::collection::vec(prop::sample::select(vec![
        "# aider chat started at 2025-10-20 09:12:44", "#### hi  ", "####", "> Tokens: 2.4k sent, 104 received.  ", "> Applied edit to a  ",
        "> x", "text", "", "<<<<<<< SEARCH", "=======", ">>>>>>> REPLACE", "# 2025-05-10 15:14:13.842487", "+y", "TO LLM 2025-05-04T17:06:58",
        "LLM RESPONSE 2025-05-04T17:06:59", "> Tokens: k sent, ,k received", "#### /run x  ", "é\r", "-------", "{\"event\":\"x\",\"time\":1}",
    ]), 0..24), noise in prop::collection::vec(any::<u8>(), 0..40)) {
        let text = [lines.join("\n").as_bytes(), &noise].concat();
        for format in [Format::AiderChat, Format::AiderInput, Format::AiderCalls, Format::AiderAnalytics] {
            decode(format, CHAT, &text);
            provisional(format, CHAT, &text);
            resumes_anywhere(format, CHAT, &text);
        }
    }
}
