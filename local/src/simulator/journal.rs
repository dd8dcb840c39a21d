//! Keeps the messages in a file, one a line as JSON, so that they are there after a restart. Each is written when it arrives, so a crash loses
//! none; the last line may then be incomplete and is dropped.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use super::KEPT;
use super::message::Message;

/// The open file.
pub(super) struct Journal(File);

impl Journal {
    /// Opens or creates the file. Returns it with its newest messages, oldest first.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<Message>)> {
        let text = match std::fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let mut messages: Vec<Message> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        messages.drain(..messages.len().saturating_sub(KEPT));
        if messages.len() < text.lines().count() || !text.is_empty() && !text.ends_with('\n') {
            let new = path.with_extension("new");
            Self(File::create(&new)?).append(&messages)?;
            std::fs::rename(new, path)?;
        }
        Ok((Self(OpenOptions::new().create(true).append(true).open(path)?), messages))
    }

    /// Forgets all messages.
    pub(super) fn clear(&self) -> io::Result<()> {
        self.0.set_len(0)
    }

    /// Adds messages in one write.
    pub(super) fn append<'a>(&mut self, messages: impl IntoIterator<Item = &'a Message>) -> io::Result<()> {
        let mut lines = Vec::new();
        for message in messages {
            serde_json::to_writer(&mut lines, message)?;
            lines.push(b'\n');
        }
        self.0.write_all(&lines)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Simulator;
    use super::super::testing::{at, sms};
    use super::*;

    async fn simulator(path: &Path) -> Simulator {
        let (simulator, _) = at(1_000);
        simulator.keep_in(path).unwrap();
        simulator
    }

    fn texts(simulator: &Simulator) -> Vec<String> {
        simulator.messages(None).into_iter().map(|message| message.text).collect()
    }

    #[tokio::test]
    async fn an_incomplete_line_is_dropped_and_the_next_message_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.jsonl");
        sms(&simulator(&path).await, "15550001111", "one").await;
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"uuid\":\"x").unwrap();
        let second = simulator(&path).await;
        assert_eq!(texts(&second), ["one"]);
        sms(&second, "15550001111", "two").await;
        assert_eq!(texts(&simulator(&path).await), ["two", "one"]);
    }

    #[tokio::test]
    async fn cleared_messages_are_gone_after_a_restart_and_later_ones_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.jsonl");
        let first = simulator(&path).await;
        sms(&first, "15550001111", "one").await;
        assert_eq!(first.clear(), 1);
        sms(&first, "15550001111", "two").await;
        assert_eq!(texts(&simulator(&path).await), ["two"]);
    }

    #[tokio::test]
    async fn a_message_is_the_same_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.jsonl");
        let first = simulator(&path).await;
        sms(&first, "15550001111", "one\ntwo").await;
        assert_eq!(simulator(&path).await.messages(None), first.messages(None));
    }

    #[tokio::test]
    async fn only_the_newest_messages_stay_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("messages.jsonl");
        sms(&simulator(&path).await, "15550001111", "old").await;
        let line = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, line.clone() + &line.replace("old", "new").repeat(KEPT)).unwrap();
        let second = simulator(&path).await;
        assert_eq!(texts(&second), vec!["new"; KEPT]);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), KEPT);
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Journal::open(folder.path()).is_err());
        assert!(Journal::open(&folder.path().join("missing/messages.jsonl")).is_err());
    }
}
