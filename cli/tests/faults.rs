//! Compilations that are killed while they write, or whose disk takes no more: both files are whole or not there.
#![cfg(unix)]

#[path = "../../compiler/tests/common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use common::{idx, small_network};

/// What a process gets that writes more to a file than it may.
const SIGXFSZ: i32 = 25;
/// Largest file that a compilation may write, in blocks of 512 bytes.
const LIMITS: [u32; 8] = [0, 1, 2, 4, 6, 8, 12, 16];

/// Compiles the network in `directory`; `before`: what the shell does first.
fn compile(directory: &Path, before: &str) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before} exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_thumbnet")]);
    command.args(["compile", "net.onnx", "--calibration", ".", "--input", "0..1", "--out", "out/net.tnet"]);
    command.current_dir(directory).output().unwrap()
}

/// The files that are models, by name.
fn models(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(directory.join("out")).into_iter().flatten().flatten();
    let named = files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()));
    named.filter(|(name, _)| name.starts_with("net")).collect()
}

/// Interrupts a compilation for each size that a file may have, where there is no model and where there is an
/// older one; returns how often.
fn interrupt(before: &str, check: fn(&Output)) -> usize {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let (images, labels) = idx(60, 12, 12, 1);
    fs::write(directory.join("train-images-idx3-ubyte"), images).unwrap();
    fs::write(directory.join("train-labels-idx1-ubyte"), labels).unwrap();
    fs::write(directory.join("net.onnx"), small_network().bytes()).unwrap();
    assert!(compile(directory, "").status.success());
    let wanted = models(directory);
    assert_eq!(wanted.keys().collect::<Vec<_>>(), ["net.qdq.onnx", "net.tnet"]);
    let mut interrupted = 0;
    for older in [None, Some("an older model")] {
        for blocks in LIMITS {
            fs::remove_dir_all(directory.join("out")).unwrap();
            if let Some(older) = older {
                fs::create_dir(directory.join("out")).unwrap();
                wanted.keys().for_each(|name| fs::write(directory.join("out").join(name), older).unwrap());
            }
            let output = compile(directory, &before.replace("BLOCKS", &blocks.to_string()));
            for (name, bytes) in models(directory) {
                let is_older = older.is_some_and(|older| older.as_bytes() == bytes);
                assert!(bytes == wanted[&name] || is_older, "{name}, files of at most {blocks} blocks");
            }
            if !output.status.success() {
                check(&output);
                interrupted += 1;
            }
        }
    }
    println!("interrupted {interrupted} times");
    interrupted
}

#[test]
fn killed_while_it_writes() {
    let killed = interrupt("ulimit -f BLOCKS;", |output| assert_eq!(output.status.signal(), Some(SIGXFSZ)));
    assert!(killed >= 6, "the limits no longer fit the sizes of the files");
}

#[test]
fn a_disk_that_takes_no_more() {
    let failed = interrupt("trap '' XFSZ; ulimit -f BLOCKS;", |output| {
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("cannot be written") && error.contains("File too large"), "{error}");
        assert_eq!(output.status.code(), Some(1), "{error}");
    });
    assert!(failed >= 6, "the limits no longer fit the sizes of the files");
}
