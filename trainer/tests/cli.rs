//! The command line: what scripts rely on.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn trainer(args: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trainer"));
    command.args(args).current_dir(dir);
    command
}

fn output(args: &[&str], dir: &Path) -> Output {
    trainer(args, dir).output().unwrap()
}

fn error(args: &[&str], dir: &Path) -> String {
    let output = output(args, dir);
    assert!(!output.status.success(), "{args:?} succeeded");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn summary_prints_one_json_object_for_each_network() {
    let dir = tempfile::tempdir().unwrap();
    let output = output(&["summary", "--json"], dir.path());
    let lines: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 20);
    let line = lines.iter().find(|line| line["name"] == "cnn3_k3_relu").unwrap();
    assert_eq!(line["params"], 109_290);
    assert_eq!(line["trainable"], 108_778);
    assert_eq!(line["non_trainable"], 512);
    assert_eq!(line["macs"], 677_376 + 10_838_016 + 903_168 + 32_768 + 640);
}

#[test]
fn errors_say_what_and_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let unknown = error(&["train", "cnn9"], dir);
    assert!(
        unknown.contains("no network is called `cnn9`; there are: nano, residual, separable, cnn3_k3_relu"),
        "{unknown}"
    );
    assert!(error(&["train", "nano", "--epochs", "0"], dir).contains("--epochs"));
    let nowhere = error(&["train", "nano", "--data", "nowhere"], dir);
    assert!(nowhere.contains("nowhere: cannot be read"), "{nowhere}");
    assert!(error(&["train", "nano", "--limit", "0"], dir).contains("at least one must remain"));
    #[cfg(not(feature = "cuda"))]
    assert!(error(&["train", "nano", "--backend", "cuda"], dir).contains("--features cuda"));
    assert!(fs::read_dir(dir).unwrap().next().is_none(), "a refused command leaves nothing behind");
}

#[test]
fn images_that_a_network_does_not_fit_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["train", "t10k"] {
        let images = [&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2][..], &[0; 4]].concat();
        fs::write(dir.path().join(format!("{name}-images-idx3-ubyte")), images).unwrap();
        fs::write(dir.path().join(format!("{name}-labels-idx1-ubyte")), [0, 0, 8, 1, 0, 0, 0, 1, 3]).unwrap();
    }
    let message = error(&["train", "cnn3_k3_relu", "--data", "."], dir.path());
    assert!(
        message.contains("network `cnn3_k3_relu`: the pooling of block 2 does not fit a map of 1 x 1"),
        "{message}"
    );
    let message = error(&["train", "image"], dir.path());
    assert!(message.contains("network `image`: it takes 32 x 32 x 3, the images are 28 x 28 x 1"), "{message}");
    assert!(!dir.path().join("models").exists(), "a refused command leaves nothing behind");
}

#[test]
fn a_table_of_ones_own_is_trained_and_summed_up() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let table = r#"
        [[network]]
        name = "mine"
        activation = "relu"
        blocks = [{ conv = 4, kernel = 3, stride = 4 }]
        epochs = 1

        [[network]]
        name = "shape"
        activation = "relu"
        trained = false
        input = [8, 8, 3]
    "#;
    fs::write(dir.join("mine.toml"), table).unwrap();
    let own = |args: &[&str]| output(&[args, &["--networks", "mine.toml"]].concat(), dir);
    let summary = own(&["summary", "--json"]);
    assert_eq!(String::from_utf8(summary.stdout).unwrap().lines().count(), 2);
    let trained = own(&["reproduce", "--limit", "200", "--json"]);
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));
    assert!(dir.join("models/mine/model.onnx").exists());
    assert!(!dir.join("models/shape").exists() && !dir.join("models/REPORT.md").exists());

    fs::write(dir.join("mine.toml"), table.replace("epochs", "dropout = 0.5\n        epochs")).unwrap();
    let again = own(&["reproduce", "--limit", "200"]);
    let message = String::from_utf8(again.stderr).unwrap();
    assert!(message.contains("(its table has dropout = 0.0; asked for dropout = 0.5)"), "{message}");
    assert!(error(&["train", "nano", "--networks", "mine.toml"], dir).contains("there are: mine, shape"));
    assert!(error(&["train", "nano", "--networks", "no.toml"], dir).contains("no.toml: cannot be read"));
}

/// The real thing: Ctrl-C in the middle of an epoch.
#[cfg(unix)]
#[test]
fn ctrl_c_and_resume_end_at_the_same_history() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let train = ["train", "nano", "--epochs", "3", "--limit", "1500", "--seed", "7"];
    let with = |more: &[&'static str]| [&train[..], more].concat();

    assert!(output(&with(&["--out", "whole"]), dir).status.success());

    let mut child = trainer(&with(&["--out", "parts", "--json"]), dir).spawn().unwrap();
    let started = Instant::now();
    while !dir.join("parts/history.csv").exists() {
        assert!(started.elapsed() < Duration::from_secs(120), "no epoch was finished");
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!dir.join("parts/model.onnx").exists());

    assert!(output(&with(&["--out", "parts", "--resume"]), dir).status.success());
    let history = |out: &str| fs::read_to_string(dir.join(out).join("history.csv")).unwrap();
    assert_eq!(history("parts"), history("whole"));
    let again = output(&with(&["--out", "parts", "--resume"]), dir);
    assert!(String::from_utf8(again.stdout).unwrap().contains("was trained already"));
}
