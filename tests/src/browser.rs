//! A headless Chromium that opens files and says what is on them: by its debugging protocol, over a pipe, so that it listens nowhere.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::child::{Child, Place};
use crate::skip::{Missing, installed};
use crate::temp::TempDir;

/// How long the browser may take for anything: it starts many processes on a loaded machine.
const LIMIT: Duration = Duration::from_secs(120);

/// A running browser with one page. Dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    _child: Child,
    pipe: ChildStdin,
    messages: Receiver<Value>,
    session: String,
    last: u64,
    events: Vec<Value>,
    dir: TempDir,
}

impl Browser {
    /// Starts one with an empty page.
    ///
    /// # Errors
    /// [`Missing`] when there is no Chromium.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start() -> Result<Self, Missing> {
        let places = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium", "/usr/bin/chromium-browser"];
        let program = installed(&places, "chromium-headless-shell")?;
        let dir = TempDir::new();
        // The protocol is spoken over descriptors 3 and 4.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null"]).arg(program);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
        // Nothing of its own that would ask the network.
        command.args(["--no-first-run", "--disable-background-networking", "--disable-component-update"]);
        command.args(["--disable-sync", "--disable-extensions", "--host-resolver-rules=MAP * ~NOTFOUND"]);
        command
            .arg("--remote-debugging-pipe")
            .arg(format!("--user-data-dir={}", dir.join("profile").display()));
        command.env("HOME", dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(std::fs::File::create(dir.join("log")).expect("a fresh file"));
        let mut child = Child::start(command, Place::default());
        let pipes = child.pipes();
        let (pipe, output) = (pipes.stdin.take().expect("piped"), pipes.stdout.take().expect("piped"));
        let (send, messages) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let value = serde_json::from_slice(&message).expect("the protocol is JSON");
                message.clear();
                if send.send(value).is_err() {
                    return;
                }
            }
        });
        let (session, events) = (String::new(), Vec::new());
        let mut browser = Self { _child: child, pipe, messages, session, last: 0, events, dir };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attached = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &attached);
        browser.session = attached["sessionId"].as_str().expect("a text").to_owned();
        for part in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{part}.enable"), &json!({}));
        }
        Ok(browser)
    }

    /// Opens a file, and forgets what was said of the one before.
    ///
    /// # Panics
    /// When it cannot be shown.
    #[track_caller]
    pub fn open(&mut self, file: &Path) {
        self.events.clear();
        let answer = self.call("Page.navigate", &json!({ "url": format!("file://{}", file.display()) }));
        assert!(answer["errorText"].is_null(), "{}: {answer}", file.display());
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.next("the page");
            self.events.push(event);
        }
    }

    /// How large its window is, in pixels.
    pub fn size(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Whether the user likes it `light` or `dark`, and whether it is shown on a `screen` or in `print`.
    pub fn media(&mut self, medium: &str, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "media": medium, "features": features }));
    }

    /// Whether pages may run scripts, from the next one on.
    pub fn scripts(&mut self, may_run: bool) {
        self.call("Emulation.setScriptExecutionDisabled", &json!({ "value": !may_run }));
    }

    /// What an expression of `JavaScript` gives on the page.
    ///
    /// # Panics
    /// When it throws.
    #[track_caller]
    pub fn ask(&mut self, expression: &str) -> Value {
        let question = json!({ "expression": expression, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", &question);
        assert!(answer["exceptionDetails"].is_null(), "{answer}");
        answer["result"]["value"].clone()
    }

    /// Presses a key and releases it.
    pub fn press(&mut self, key: &str, code: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// Rests the pointer there.
    pub fn point(&mut self, x: f64, y: f64) {
        self.call("Input.dispatchMouseEvent", &json!({ "type": "mouseMoved", "x": x, "y": y }));
    }

    /// A picture of the page as it is seen (PNG, base64).
    pub fn picture(&mut self) -> String {
        let answer = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        answer["data"].as_str().unwrap_or_default().to_owned()
    }

    /// What it complained of since the page was opened: messages of the console, errors, what was blocked.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let kinds = ["Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"];
        self.of(&kinds).map(|event| event["params"].to_string()).collect()
    }

    /// What it asked for since the page was opened, without the page itself.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let asked = self.of(&["Network.requestWillBeSent"]);
        asked.skip(1).map(|event| event["params"]["request"]["url"].to_string()).collect()
    }

    fn of<'b>(&'b self, methods: &'b [&'b str]) -> impl Iterator<Item = &'b Value> {
        self.events.iter().filter(|event| methods.iter().any(|method| event["method"] == *method))
    }

    #[track_caller]
    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let id = self.last;
        let mut message = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = Value::from(&*self.session);
        }
        let mut line = String::new();
        write!(line, "{message}\0").expect("writing to a String cannot fail");
        self.pipe.write_all(line.as_bytes()).expect("the browser reads");
        loop {
            let mut answer = self.next(method);
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
            self.events.push(answer);
        }
    }

    #[track_caller]
    fn next(&self, what: &str) -> Value {
        match self.messages.recv_timeout(LIMIT) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => panic!("the browser did not answer: {what}"),
            Err(RecvTimeoutError::Disconnected) => {
                let log = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                panic!("the browser ended: {what}\n{log}")
            }
        }
    }
}
