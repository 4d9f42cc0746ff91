//! Trainings that are killed while they write, at any moment, or whose disk takes no more: what is there is whole, and
//! `--resume` ends like an uninterrupted training.
#![cfg(unix)]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

const EPOCHS: usize = 3;
/// What a process gets that writes more to a file than it may.
const SIGXFSZ: i32 = 25;
const SIGKILL: i32 = 9;
/// Largest file that a training may write, in blocks of 512 bytes: nothing at all, then ever more of each file.
const LIMITS: [u32; 7] = [0, 1, 8, 32, 64, 80, 96];

/// The small training that all tests interrupt, in `out`; `before`: what the shell does first.
fn training(before: &str, out: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before} exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_trainer")]);
    command.args(["train", "nano", "--limit", "40", "--epochs", &EPOCHS.to_string(), "--resume", "--json", "--out"]);
    command.arg(out);
    command
}

fn run(before: &str, out: &Path) -> Output {
    training(before, out).output().unwrap()
}

/// The files of a training that nothing disturbed.
struct Undisturbed(tempfile::TempDir);

impl Undisturbed {
    fn train() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let output = run("", directory.path());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self(directory)
    }

    fn files(&self) -> impl Iterator<Item = String> {
        fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap())
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap()
    }

    /// What is in `out` is a beginning of this training: every file whole or not there.
    fn has_beginning(&self, out: &Path, when: &str) {
        for name in self.files() {
            let Ok(found) = fs::read(out.join(&name)) else { continue };
            match name.as_str() {
                "history.csv" => {
                    assert!(self.read(&name).starts_with(&found), "{when}: {name}");
                    assert!(found.ends_with(b"\n"), "{when}: {name} ends within a line");
                }
                "card.json" => assert!(serde_json::from_slice::<Value>(&found).is_ok(), "{when}: {name}"),
                _ => assert!(found == self.read(&name), "{when}: {name} is not what it should be"),
            }
        }
    }

    /// Going on in `out` ends like this training.
    fn has_same_end(&self, out: &Path) {
        let output = run("", out);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.has_beginning(out, "at the end");
        assert_eq!(fs::read(out.join("history.csv")).unwrap(), self.read("history.csv"));
        let names = |directory| {
            let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(out), names(self.0.path()), "something was left over, or is missing");
    }
}

/// Kills a training in the middle of a write, for each size that a file may have; returns the number of kills.
fn kill_in_writes(undisturbed: &Undisturbed, out: &Path) -> usize {
    let kills = LIMITS.iter().filter(|blocks| {
        let output = run(&format!("ulimit -f {blocks};"), out);
        undisturbed.has_beginning(out, &format!("files of at most {blocks} blocks"));
        assert!(output.status.success() || output.status.signal() == Some(SIGXFSZ), "{output:?}");
        !output.status.success()
    });
    kills.count()
}

/// Lets a training fail by itself in a write, for each size that a file may have; returns the number of errors.
fn fail_in_writes(undisturbed: &Undisturbed, out: &Path) -> usize {
    let errors = LIMITS.iter().filter(|blocks| {
        let output = run(&format!("trap '' XFSZ; ulimit -f {blocks};"), out);
        undisturbed.has_beginning(out, &format!("files of at most {blocks} blocks"));
        let error = String::from_utf8_lossy(&output.stderr);
        let is_clear = error.contains("File too large") && error.contains(&out.display().to_string());
        assert!(output.status.success() || (output.status.code() == Some(1) && is_clear), "{error}");
        assert!(!error.contains("panicked"), "{error}");
        !output.status.success()
    });
    errors.count()
}

/// Interrupts in the first checkpoint, in later ones, and in what is written at the end.
fn interrupt_everywhere(interrupt: fn(&Undisturbed, &Path) -> usize) {
    let undisturbed = Undisturbed::train();
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let in_first = interrupt(&undisturbed, &out);
    fs::remove_dir_all(&out).unwrap();

    let mut child = training("", &out).stderr(Stdio::null()).spawn().unwrap();
    while !out.join("checkpoint/epoch-0001").exists() {
        sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let in_later = interrupt(&undisturbed, &out);

    // What stands where the model should be lets all epochs pass, but not the end.
    fs::remove_dir_all(&out).unwrap();
    fs::create_dir_all(out.join("model.onnx/in the way")).unwrap();
    let error = String::from_utf8(run("", &out).stderr).unwrap();
    assert!(error.contains("model.onnx"), "{error}");
    fs::remove_dir_all(out.join("model.onnx")).unwrap();
    let at_end = interrupt(&undisturbed, &out);
    undisturbed.has_same_end(&out);
    println!("interrupted {in_first} times in the first checkpoint, {in_later} in later ones, {at_end} at the end");
    assert!(in_first >= 4 && in_later >= 4 && at_end >= 4, "the limits no longer fit the sizes of the files");
}

#[test]
fn killed_while_it_writes() {
    interrupt_everywhere(kill_in_writes);
}

#[test]
fn a_disk_that_takes_no_more() {
    interrupt_everywhere(fail_in_writes);
}

/// As often as `THUMBNET_KILLS` says.
#[test]
fn killed_at_any_moment() {
    let started = Instant::now();
    let undisturbed = Undisturbed::train();
    let duration = started.elapsed();
    let wanted: u32 = std::env::var("THUMBNET_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let mut directory = tempfile::tempdir().unwrap();
    let (mut kills, mut finished) = (0, 0);
    for attempt in 1.. {
        if kills == wanted {
            break;
        }
        let mut child = training("", directory.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // The golden ratio spreads the moments evenly over the training.
        sleep(duration.mul_f64((f64::from(attempt) * 0.618_034).fract()));
        // It may have come to its end already.
        child.kill().unwrap();
        let status = child.wait().unwrap();
        undisturbed.has_beginning(directory.path(), &format!("kill {kills}"));
        if status.success() {
            undisturbed.has_same_end(directory.path());
            directory = tempfile::tempdir().unwrap();
            finished += 1;
        } else {
            assert_eq!(status.signal(), Some(SIGKILL), "{status}");
            kills += 1;
        }
    }
    undisturbed.has_same_end(directory.path());
    println!("killed {kills} times in {} trainings", finished + 1);
}

#[test]
fn what_is_no_directory_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file"), "kept").unwrap();
    let output = run("", &directory.path().join("file"));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("file: cannot be created"), "{error}");
    assert_eq!(fs::read(directory.path().join("file")).unwrap(), b"kept");
    // Nobody can make a directory there, root neither.
    let error = String::from_utf8(run("", Path::new("/proc/model")).stderr).unwrap();
    assert!(error.contains("/proc/model: cannot be created"), "{error}");
}
