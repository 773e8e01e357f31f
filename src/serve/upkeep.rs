//! Work that a running `ingest` does for other devlog processes: it holds the lake's lock, they do not.
//!
//! What the work is, and what comes of it, is JSON that both ends agree on; here is only how it travels:
//! a line in, frames with [`Told`] out, often enough that silence means trouble.

use std::io;
use std::path::Path;

use serde_json::Value;

use super::Request;
use super::client::{Client, ClientError, SILENCE, broken};
use super::frame::{Kind, read_frame};
use super::reply::Reply;
use super::service::Service;
use super::told::{Ended, Told};
/// Does the work `job` on `lake`, tells how far it is, and what comes of it.
pub(super) fn work(reply: &Reply<'_>, service: &dyn Service, lake: &Path, job: &Value) -> io::Result<()> {
    let mut tell = |told: Told| say(reply, &told).is_ok() && reply.waits();
    match service.work(lake, job, &mut tell) {
        Ended::Done(value) => say(reply, &Told::Done(value)),
        Ended::Elsewhere => say(reply, &Told::Elsewhere),
        Ended::Failed(text) => reply.send(Kind::Error, text.as_bytes()),
    }
}

fn say(reply: &Reply<'_>, told: &Told) -> io::Result<()> {
    reply.send(Kind::Json, &serde_json::to_vec(told)?)
}

impl Client {
    /// Has `job` done on `lake`, and says how far it is; `on` answers whether to go on waiting. `None` when the
    /// process holds another lake, or nobody wants to wait any longer.
    ///
    /// # Errors
    ///
    /// Why it was not done, in the words of the other process, or that it does not answer.
    pub fn work(
        self,
        lake: &Path,
        job: &Value,
        on: &mut dyn FnMut(&Told) -> bool,
    ) -> Result<Option<Value>, ClientError> {
        let mut ear = self.ask(&Request::Work { lake: lake.to_owned(), job: job.clone() }, None)?;
        loop {
            let (kind, payload) = read_frame(&mut ear).map_err(broken)?;
            ear.patience = SILENCE;
            match kind {
                Kind::Working => continue,
                Kind::Json => {}
                _ => return Err(ClientError::Refused { message: String::from_utf8_lossy(&payload).into_owned() }),
            }
            match serde_json::from_slice(&payload).map_err(|error| broken(error.into()))? {
                Told::Done(value) => return Ok(Some(value)),
                Told::Elsewhere => return Ok(None),
                told => {
                    if !on(&told) {
                        return Ok(None);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::super::{Refusal, Server, Status};
    use super::*;

    struct Worker;

    impl Service for Worker {
        fn status(&self) -> Status {
            Status::default()
        }

        fn answer(&self, _: &Request, _: &mut Reply<'_>) -> Result<(), Refusal> {
            Err(Refusal::Final("no".to_owned()))
        }

        fn work(&self, lake: &Path, job: &Value, tell: &mut dyn FnMut(Told) -> bool) -> Ended {
            if lake != Path::new("/lake") {
                return Ended::Elsewhere;
            }
            assert!(tell(Told::Waits) && tell(Told::Progress(json!({"files": 3}))));
            if job == "merge" {
                Ended::Done(json!({"merged": 7}))
            } else {
                Ended::Failed("the disk is full".to_owned())
            }
        }
    }

    #[test]
    fn a_client_hears_how_far_its_work_is_and_what_came_of_it() {
        let home = tempfile::tempdir().unwrap();
        let socket = home.path().join("devlog.sock");
        let _server = Server::start(&socket, Arc::new(Worker)).unwrap();
        let ask = |lake: &str, job: &str, heard: &mut Vec<Told>| {
            let client = Client::connect(&socket).unwrap().unwrap();
            client.work(Path::new(lake), &json!(job), &mut |told| {
                heard.push(told.clone());
                true
            })
        };
        let mut heard = Vec::new();
        assert_eq!(ask("/lake", "merge", &mut heard).unwrap(), Some(json!({"merged": 7})));
        assert_eq!(heard, [Told::Waits, Told::Progress(json!({"files": 3}))]);
        assert_eq!(ask("/other", "merge", &mut heard).unwrap(), None);
        let refused = ask("/lake", "burn", &mut heard).unwrap_err();
        assert_eq!(refused.to_string(), "the disk is full");
    }
}
