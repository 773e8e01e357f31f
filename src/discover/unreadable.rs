//! Stores of agents that devlog cannot read, and why.
//!
//! A user who misses a session should learn that it is not devlog's rules that hide it. Of some stores only a part,
//! or what is elsewhere, is missing: those are listed, but no answer is short of what devlog could have read there.

use std::fs;
use std::path::PathBuf;

use crate::config::{Os, Places};
use crate::discover::pattern::part_fits;
use crate::discover::places::starts;
use crate::discover::table::{ANY, Start, UNIX};

/// A store that cannot be read.
pub(super) struct Unreadable {
    agent: &'static str,
    systems: &'static [Os],
    start: Start,
    /// Path below the start; `*` stands for any characters within a part.
    then: &'static str,
    why: Why,
}

/// Why it is not read.
enum Why {
    /// What lies in it is kept from everybody but its own program.
    Closed(&'static str),
    /// What is missing is elsewhere, or only a part.
    Beside(&'static str),
}

/// A store that exists on this machine and is not read, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Whose it is.
    pub agent: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// Why it is not read.
    pub why: &'static str,
    /// Sessions lie in it that nothing but its own program reads.
    pub is_closed: bool,
}

const fn store(agent: &'static str, systems: &'static [Os], start: Start, then: &'static str, why: Why) -> Unreadable {
    Unreadable { agent, systems, start, then, why }
}

const CASCADE: Why =
    Why::Closed("Windsurf encrypts its conversations (cascade/*.pb); transcripts that its hooks write are read");
const NITRITE: Why =
    Why::Closed("Copilot in JetBrains IDEs keeps its chats in Nitrite databases, which only Java reads");
const PARTITION: Why = Why::Closed("transcripts of Copilot in JetBrains IDEs; devlog does not know this format yet");
const AMP: Why =
    Why::Beside("newer versions of Amp keep threads on its server only; threads that are still here are read");
const ANTIGRAVITY: Why = Why::Beside(
    "Antigravity's own store of conversations is protobuf without a public schema; the transcripts beside it are read",
);
const CURSOR: Why = Why::Beside("conversations of Cursor's cloud agents are on its servers only");
const ZED: Why = Why::Beside("threads of external agents in Zed are in the logs of those agents");
const WARP: Why =
    Why::Beside("the answers of Warp's agent are protobuf in warp.sqlite; prompts, commands and totals are read");
const DESKTOP: Why = Why::Beside("chats of Claude Desktop are on claude.ai only; its coding sessions are read");
const CHATGPT: Why = Why::Closed("the ChatGPT app encrypts its conversations");

const ROAMING: Start = Start::Known("APPDATA", "AppData/Roaming");
const LOCAL: Start = Start::Known("LOCALAPPDATA", "AppData/Local");

#[rustfmt::skip]
const STORES: &[Unreadable] = &[
    store("windsurf", ANY, Start::Home, ".codeium/windsurf/cascade", CASCADE),
    store("windsurf", ANY, Start::Home, ".codeium/windsurf-next/cascade", CASCADE),
    store("github-copilot", UNIX, Start::XdgConfig, "github-copilot/*/*/*/copilot-*nitrite.db", NITRITE),
    store("github-copilot", &[Os::Windows], LOCAL, "github-copilot/*/*/*/copilot-*nitrite.db", NITRITE),
    store("github-copilot", ANY, Start::Home, ".copilot/jb", PARTITION),
    store("amp", UNIX, Start::XdgData, "amp", AMP),
    store("amp", &[Os::Windows], Start::Home, ".local/share/amp", AMP),
    store("antigravity", ANY, Start::Home, ".gemini/antigravity/conversations", ANTIGRAVITY),
    store("antigravity", ANY, Start::Home, ".gemini/antigravity-ide/conversations", ANTIGRAVITY),
    store("antigravity", ANY, Start::Home, ".gemini/antigravity-cli/conversations", ANTIGRAVITY),
    store("cursor", ANY, Start::Editor("Cursor"), "globalStorage", CURSOR),
    store("zed", &[Os::Linux], Start::XdgData, "zed/threads", ZED),
    store("zed", &[Os::MacOs], Start::Home, "Library/Application Support/Zed/threads", ZED),
    store("zed", &[Os::Windows], LOCAL, "Zed/threads", ZED),
    store("warp", &[Os::Linux], Start::XdgState, "warp-terminal/warp.sqlite", WARP),
    store("warp", &[Os::MacOs], Start::Home, "Library/Group Containers/2BBY89MBSN.dev.warp/Library/Application Support/dev.warp.Warp-*/warp.sqlite", WARP),
    store("warp", &[Os::Windows], LOCAL, "warp/Warp/data/warp.sqlite", WARP),
    store("claude", &[Os::Linux], Start::XdgConfig, "Claude/IndexedDB", DESKTOP),
    store("claude", &[Os::MacOs], Start::Home, "Library/Application Support/Claude/IndexedDB", DESKTOP),
    store("claude", &[Os::Windows], ROAMING, "Claude/IndexedDB", DESKTOP),
    store("chatgpt", &[Os::MacOs], Start::Home, "Library/Application Support/com.openai.chat/conversations-v*", CHATGPT),
];

/// Those stores that exist here.
#[must_use]
pub fn unreadable(places: &Places) -> Vec<Store> {
    let own = STORES.iter().filter(|store| store.systems.contains(&places.os));
    own.flat_map(|store| {
        let found = starts(store.start, places).into_iter().flat_map(|start| existing(start, store.then));
        let (why, is_closed) = match store.why {
            Why::Closed(why) => (why, true),
            Why::Beside(why) => (why, false),
        };
        found.map(move |path| Store { agent: store.agent, path, why, is_closed })
    })
    .collect()
}

/// What exists below `start` under a path with stars.
fn existing(start: PathBuf, then: &str) -> Vec<PathBuf> {
    let mut at = vec![start];
    for part in then.split('/') {
        at = if part.contains('*') {
            let entries = at.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
            entries
                .filter(|e| e.file_name().to_str().is_some_and(|name| part_fits(part, name)))
                .map(|e| e.path())
                .collect()
        } else {
            at.into_iter().map(|folder| folder.join(part)).collect()
        };
    }
    at.sort();
    at.retain(|path| fs::metadata(path).is_ok());
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stores_that_exist_are_named() {
        let home = tempfile::tempdir().unwrap();
        let places = Places { os: Os::Linux, home: home.path().into(), env: Default::default() };
        assert!(unreadable(&places).is_empty());
        let database = ".config/github-copilot/iu/chat-sessions/1a/copilot-chat-nitrite.db";
        for path in [".codeium/windsurf/cascade/x.pb", database, ".config/github-copilot/hosts.json"] {
            let path = home.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let found = unreadable(&places);
        let named: Vec<_> = found.iter().map(|store| (store.agent, store.path.clone())).collect();
        let expected = [("windsurf", ".codeium/windsurf/cascade"), ("github-copilot", database)];
        assert_eq!(named, expected.map(|(agent, path)| (agent, home.path().join(path))));
        assert!(found.iter().all(|store| !store.why.is_empty() && store.is_closed));
    }

    #[test]
    fn each_system_has_stores_and_each_says_why() {
        for os in [Os::Linux, Os::MacOs, Os::Windows] {
            assert!(STORES.iter().filter(|s| s.systems.contains(&os)).count() >= 8, "{os:?}");
        }
        let text = |why: &Why| match why {
            Why::Closed(text) | Why::Beside(text) => text.len(),
        };
        assert!(STORES.iter().all(|s| text(&s.why) > 20 && !s.then.starts_with('/')));
    }
}
