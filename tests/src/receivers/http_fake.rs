//! A fake HTTP server: listens, hands each request to a protocol, keeps the ids that were taken, and misbehaves on command.

use std::collections::{BTreeSet, VecDeque};
use std::io::BufReader;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use serde_json::Value;

use super::connection;

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// `POST`.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// What follows `?`.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without any transfer coding.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of this name, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Headers without `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A JSON answer.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        let kind = ("Content-Type".to_owned(), "application/json".to_owned());
        Self { status, headers: vec![kind], body: body.to_string().into_bytes() }
    }

    /// An answer in plain text.
    #[must_use]
    pub fn text(status: u16, body: &str) -> Self {
        let kind = ("Content-Type".to_owned(), "text/plain".to_owned());
        Self { status, headers: vec![kind], body: body.as_bytes().to_vec() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// How a fake treats a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mood {
    /// As the real one does.
    Well,
    /// Takes nothing and answers this: 200 with errors inside, 429 with `Retry-After`, 413, a redirect, 500.
    Answer(Reply),
    /// Takes it and answers this all the same.
    TakeAndAnswer(Reply),
    /// Takes nothing and closes the connection.
    Close,
    /// Takes it and closes the connection without an answer.
    TakeAndClose,
    /// Takes it and closes before the last byte of the answer.
    CloseMidAnswer,
    /// Takes it and answers five bytes a second.
    SlowByTheByte,
    /// Takes it and answers with 1 GiB.
    Huge,
    /// Takes nothing and answers what is no HTTP.
    Garbage,
}

impl Mood {
    const fn takes(&self) -> bool {
        !matches!(self, Self::Answer(_) | Self::Close | Self::Garbage)
    }
}

/// What a protocol made of a request: its answer, and the ids of the events that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// What to answer.
    pub reply: Reply,
    /// Events that are stored now, in order.
    pub ids: Vec<String>,
}

impl Taken {
    /// An answer to a request of which nothing was taken.
    #[must_use]
    pub const fn nothing(reply: Reply) -> Self {
        Self { reply, ids: Vec::new() }
    }
}

/// What a fake speaks. It outlives a kill, as what the real one has on disk does.
pub trait Protocol: Send {
    /// Checks a request as strictly as the real one, or more, and takes what it takes.
    fn take(&mut self, request: &Request) -> Taken;

    /// The server was killed: forgets what the real one keeps in memory.
    fn killed(&mut self) {}
}

struct State {
    protocol: Box<dyn Protocol>,
    /// For the next requests, one each; then `always`.
    moods: VecDeque<Mood>,
    always: Mood,
    ids: Vec<String>,
    requests: Vec<(String, u16, usize)>,
    connections: Vec<TcpStream>,
    accepted: usize,
    alive: bool,
}

/// A fake server on a port of its own.
pub struct Fake {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    listening: Option<JoinHandle<()>>,
}

impl Fake {
    /// Starts one on a free port of `127.0.0.1`.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn start(protocol: impl Protocol + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = State {
            protocol: Box::new(protocol),
            moods: VecDeque::new(),
            always: Mood::Well,
            ids: Vec::new(),
            requests: Vec::new(),
            connections: Vec::new(),
            accepted: 0,
            alive: true,
        };
        let mut fake = Self { address, state: Arc::new(Mutex::new(state)), listening: None };
        fake.listen(listener);
        fake
    }

    fn listen(&mut self, listener: TcpListener) {
        let state = Arc::clone(&self.state);
        self.listening = Some(std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let mut locked = lock(&state);
                if !locked.alive {
                    return;
                }
                locked.connections.retain(|connection| connection.peer_addr().is_ok());
                locked.accepted += 1;
                locked.connections.push(connection.try_clone().expect("a descriptor can be duplicated"));
                drop(locked);
                let state = Arc::clone(&state);
                std::thread::spawn(move || serve(connection, &state));
            }
        }));
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How the next requests are treated, one each, before those after them.
    pub fn next(&self, moods: impl IntoIterator<Item = Mood>) {
        self.state().moods.extend(moods);
    }

    /// How all requests are treated from now on.
    pub fn always(&self, mood: Mood) {
        self.state().always = mood;
    }

    /// The ids that were taken, in order, with duplicates.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.state().ids.clone()
    }

    /// The ids that were taken, each once.
    #[must_use]
    pub fn distinct(&self) -> BTreeSet<String> {
        self.state().ids.iter().cloned().collect()
    }

    /// Path, status of the answer and bytes of the body of every request.
    #[must_use]
    pub fn requests(&self) -> Vec<(String, u16, usize)> {
        self.state().requests.clone()
    }

    /// How many connections it has accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state().accepted
    }

    /// Ends it as SIGKILL does: connections are cut, nothing listens any more.
    pub fn kill(&mut self) {
        let mut state = self.state();
        state.alive = false;
        for connection in state.connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
        state.protocol.killed();
        drop(state);
        // Wakes `accept`, which then sees that it is to end.
        let _ = TcpStream::connect(self.address);
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }

    /// Starts it again on the same port, with what it had taken.
    ///
    /// # Panics
    /// When the port is taken by somebody else.
    pub fn restart(&mut self) {
        let listener = crate::wait::within(crate::wait::TIMEOUT, "the port is free again", || {
            TcpListener::bind(self.address).ok()
        });
        self.state().alive = true;
        self.listen(listener);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fake").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.kill();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(connection: TcpStream, state: &Mutex<State>) {
    let Ok(reading) = connection.try_clone() else { return };
    let (mut from, mut to) = (BufReader::new(reading), connection);
    let _ = to.set_nodelay(true);
    loop {
        let request = match connection::read(&mut from) {
            Ok(Some(request)) => request,
            Ok(None) => break,
            Err(error) => {
                let reply = Reply::text(400, &error.to_string());
                let _ = connection::answer(&mut to, &reply, &Mood::Well);
                break;
            }
        };
        let mut locked = lock(state);
        if !locked.alive {
            break;
        }
        let mood = locked.moods.pop_front().unwrap_or_else(|| locked.always.clone());
        let mut taken = Taken::nothing(Reply::text(500, "misbehaves"));
        if mood.takes() {
            taken = locked.protocol.take(&request);
        }
        if let Mood::Answer(reply) | Mood::TakeAndAnswer(reply) = &mood {
            taken.reply = reply.clone();
        }
        locked.ids.extend(taken.ids);
        locked.requests.push((request.path.clone(), taken.reply.status, request.body.len()));
        drop(locked);
        if !connection::answer(&mut to, &taken.reply, &mood).unwrap_or(false) {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// A receiver of JSON lines: every line an object with an `id`.
#[derive(Debug, Clone, Default)]
pub struct Plain {
    /// The value that `Authorization` must have.
    pub authorization: Option<String>,
    /// Refuses, with 400, every request that has an event of one of these ids.
    pub refused: BTreeSet<String>,
}

impl Protocol for Plain {
    fn take(&mut self, request: &Request) -> Taken {
        let no = |status, why: &str| Taken::nothing(Reply::text(status, why));
        if request.method != "POST" {
            return no(405, "only POST");
        }
        if request.header("authorization") != self.authorization.as_deref() {
            return no(401, &format!("not {:?}", request.header("authorization")));
        }
        if request.header("content-type") != Some("application/x-ndjson") {
            return no(415, "only application/x-ndjson");
        }
        let Some(lines) = request.body.strip_suffix(b"\n") else { return no(400, "no line feed at the end") };
        let mut ids = Vec::new();
        for line in lines.split(|byte| *byte == b'\n') {
            let Ok(event) = serde_json::from_slice::<Value>(line) else {
                return no(400, "a line is no JSON");
            };
            let Some(id) = event["id"].as_str() else { return no(400, "an event without an id") };
            if self.refused.contains(id) {
                return no(400, "an event that nobody wants");
            }
            ids.push(id.to_owned());
        }
        Taken { reply: Reply::text(200, "ok"), ids }
    }
}
