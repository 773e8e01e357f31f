//! What is never stored, whichever agent has written it: the one list.
//!
//! - encrypted reasoning and signatures: texts that only a provider can read
//! - tokens, keys and passwords of the agent itself
//! - prompts that were not sent
//!
//! Names are compared without case and underscores, since each agent spells them in its own way. A number or a
//! truth value is never secret: a record may say `"encrypted": false`. What is said to a tool and by it is
//! content, where only encrypted texts are left out: a tool may well speak of a signature or a password.

use crate::adapters::json::Json;

/// Texts that only a provider can read.
const SEALED: [&str; 6] = [
    "encryptedcontent",
    "encryptedreasoning",
    "reasoningencryptedcontent",
    "reasoningopaque",
    "redactedcontent",
    "thoughtsignature",
];

/// What else is left out of records.
const SECRET: [&str; 14] = [
    "auth",
    "authorization",
    "authtoken",
    "cookie",
    "draft",
    "encrypted",
    "idtoken",
    "inputstate",
    "password",
    "reasoningsignature",
    "redacteddata",
    "signature",
    "statefulmarker",
    "thinkingsignature",
];

/// Ends of names: `openAiApiKey`, `blobEncryptionKey`, `textSignature` of a provider.
const SECRET_ENDS: [&str; 8] = [
    "accesstoken",
    "apikey",
    "clientsecret",
    "encryptedcontent",
    "encryptionkey",
    "privatekey",
    "refreshtoken",
    "textsignature",
];

/// True for a field of a record that is never stored.
pub(in crate::adapters) fn is_secret(key: &str, value: Json<'_, '_>) -> bool {
    if !may_hide(value) {
        return false;
    }
    let plain = Plain::of(key);
    let name = plain.as_str();
    SEALED.contains(&name) || SECRET.contains(&name) || SECRET_ENDS.iter().any(|end| name.ends_with(end))
}

/// True for a field of a tool's arguments or answer that is no content.
pub(in crate::adapters) fn is_sealed(key: &str, value: Json<'_, '_>) -> bool {
    may_hide(value) && SEALED.contains(&Plain::of(key).as_str())
}

fn may_hide(value: Json<'_, '_>) -> bool {
    value.as_str().is_some() || value.is_object() || value.is_array()
}

/// The end of a name without case and underscores.
struct Plain {
    bytes: [u8; 32],
    start: usize,
}

impl Plain {
    fn of(key: &str) -> Self {
        let mut plain = Self { bytes: [0; 32], start: 32 };
        let bytes = key.bytes().rev().filter(|b| !matches!(b, b'_' | b'-'));
        for (place, byte) in plain.bytes.iter_mut().rev().zip(bytes) {
            *place = byte.to_ascii_lowercase();
            plain.start -= 1;
        }
        plain
    }

    /// The name; empty when it is none of ASCII.
    fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes.get(self.start..).unwrap_or_default()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::line::Parser;

    fn with(json: &str, mut look: impl FnMut(&str, Json<'_, '_>)) {
        Parser::default()
            .each(json.as_bytes(), |json| json.entries().for_each(|(key, value)| look(key, value)))
            .unwrap();
    }

    #[test]
    fn a_secret_is_known_in_every_spelling() {
        let json = r#"{"encrypted_content":"x","encryptedContent":"x","reasoningEncryptedContent":"x","signature":"x",
            "thought_signature":"x","Authorization":"x","access-token":"x","OPENAI_API_KEY":"x","blobEncryptionKey":"x",
            "speculativeSummarizationEncryptionKey":"x","inputState":{"a":1},"encrypted":["x"],"textSignature":"x"}"#;
        with(json, |key, value| assert!(is_secret(key, value), "{key}"));
    }

    #[test]
    fn what_is_none_stays() {
        let json = r#"{"encrypted":false,"signature":3,"key":"x","tokens":"x","signatures":"x","author":"x","ключ":"x","drafts":1,
            "totalTokens":"x","text":"x","cookies":"x"}"#;
        with(json, |key, value| assert!(!is_secret(key, value), "{key}"));
    }

    #[test]
    fn in_what_a_tool_says_only_encrypted_texts_are_no_content() {
        with(r#"{"encrypted_content":"x","thoughtSignature":"x"}"#, |key, value| assert!(is_sealed(key, value)));
        with(r#"{"signature":"fn a()","password":"x","encryptedContent":1}"#, |key, value| {
            assert!(!is_sealed(key, value), "{key}");
        });
    }
}
