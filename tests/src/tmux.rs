//! A terminal of a given size with a shell in it, and what stands on it: tmux, with a server of its own.

use std::process::{Command, Output};

use crate::skip::{Missing, installed};
use crate::temp::TempDir;
use crate::wait;

/// What the shell prints when it waits for a command.
const PROMPT: &str = "ready$ ";

/// A terminal. Dropping it ends everything in it.
#[derive(Debug)]
pub struct Screen {
    dir: TempDir,
    tmux: std::path::PathBuf,
}

impl Screen {
    /// One of so many columns and lines, whose shell waits for a command in a directory of its own.
    ///
    /// # Errors
    /// If tmux is not installed.
    ///
    /// # Panics
    /// If it does not start.
    pub fn new(width: u16, height: u16) -> Result<Self, Missing> {
        let tmux = installed(&["/usr/bin/tmux", "/usr/local/bin/tmux"], "tmux")?;
        let dir = TempDir::new();
        let home = dir.join("home");
        std::fs::create_dir(&home).expect("a fresh directory");
        // All lines are the shell's; a lone Escape is one at once.
        dir.write("tmux.conf", "set -g status off\nset -sg escape-time 0\nset -g default-terminal screen\n");
        let screen = Self { dir, tmux };
        let (width, height) = (width.to_string(), height.to_string());
        let home = home.display().to_string();
        let shell = format!("exec env -u NO_COLOR LC_ALL=C.UTF-8 PS1='{PROMPT}' bash --norc --noprofile");
        let started = screen.tmux(
            ["-f", &screen.dir.join("tmux.conf").display().to_string(), "new-session"]
                .into_iter()
                .chain(["-d", "-x", &width, "-y", &height, "-c", &home, &shell]),
        );
        assert!(
            started.status.success(),
            "tmux does not start: {}",
            String::from_utf8_lossy(&started.stderr)
        );
        screen.until("the shell waits", |text| text.trim_end().ends_with(PROMPT.trim_end()));
        Ok(screen)
    }

    fn tmux<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Output {
        let mut command = Command::new(&self.tmux);
        command.arg("-u").arg("-S").arg(self.dir.join("tmux")).args(words);
        command.env("LC_ALL", "C.UTF-8").env_remove("TMUX").output().expect("tmux can be run")
    }

    /// The directory in which the shell began.
    #[must_use]
    pub fn home(&self) -> std::path::PathBuf {
        self.dir.join("home")
    }

    /// Types a text.
    pub fn text(&self, text: &str) {
        self.tmux(["send-keys", "-l", text]);
    }

    /// Presses a key, by tmux's name: `Enter`, `Escape`, `Down`, `C-z`.
    pub fn press(&self, key: &str) {
        self.tmux(["send-keys", key]);
    }

    /// Types a command and the return key.
    pub fn command(&self, line: &str) {
        self.text(line);
        self.press("Enter");
    }

    /// What stands on it.
    #[must_use]
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.tmux(["capture-pane", "-p"]).stdout).into_owned()
    }

    /// Waits until what stands on it is so, and returns that.
    ///
    /// # Panics
    /// If it never is, with what stands there.
    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let start = std::time::Instant::now();
        loop {
            let text = self.shown();
            if holds(&text) {
                return text;
            }
            assert!(start.elapsed() < wait::TIMEOUT, "never: {what}; the screen:\n{text}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Waits until the shell waits for a command again.
    #[track_caller]
    pub fn until_prompt(&self) -> String {
        self.until("the shell waits", |text| {
            text.trim_end().lines().next_back().is_some_and(|line| line.trim_end() == PROMPT.trim_end())
        })
    }

    /// The process ids of what the shell has started.
    #[must_use]
    pub fn children(&self) -> Vec<u32> {
        let shell = self.tmux(["display-message", "-p", "#{pane_pid}"]).stdout;
        let shell = String::from_utf8_lossy(&shell).trim().to_owned();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
        children.unwrap_or_default().split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.tmux(["kill-server"]);
    }
}
