//! The main job end to end, on the data and the sources in this repository.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;

use crate::boards;
use crate::setup;
use crate::shell::{built, cargo, json, mnist, run, target};
use crate::table::{self, grouped};

/// The board that the demo boots.
const BOARD: &str = "mps2-an386";

/// Options of `cargo xtask demo`.
#[derive(Args)]
pub struct Demo {
    /// Epochs to train; the models in models/ had more
    #[arg(long, default_value_t = 3, env = "THUMBNET_DEMO_EPOCHS")]
    epochs: u32,
    /// Test images to classify on the board
    #[arg(long, default_value_t = 200)]
    digits: u32,
}

#[derive(Deserialize)]
struct Evaluation {
    images: u64,
    correct: u64,
}

#[derive(Deserialize)]
struct Parity {
    images: u64,
    identical: u64,
}

#[derive(Deserialize)]
struct Measured {
    instructions: u64,
    macs: u64,
    arena_bytes: u64,
    flash_bytes: u64,
}

impl Demo {
    /// Trains, compiles, evaluates, boots, compares, and says where the pictures are.
    pub fn run(&self) -> Result<()> {
        say("set up");
        setup::rust_targets()?;
        setup::qemu()?;
        say("build (the first time this takes most of the demo: Burn is large)");
        run(&mut cargo(&["build", "--release", "--workspace", "--bins"]))?;

        let directory = target().join("demo");
        fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
        let (onnx, tnet) = (file(&directory, "model.onnx"), file(&directory, "model.tnet"));
        let (data, out) = (file(&mnist(), ""), file(&directory, ""));

        say("train nano on the 60,000 MNIST images");
        let epochs = self.epochs.to_string();
        run(&mut built("trainer", &["train", "nano", "--epochs", &epochs, "--out", &out]))?;
        say("compile: fold, calibrate, quantize, plan, pack");
        run(&mut built("thumbnet", &["compile", &onnx, "--calibration", &data, "--name", "nano", "--out", &tnet]))?;
        say("evaluate on the 10,000 test images");
        let float = evaluate(&["eval", &onnx, "--data", &data, "--json"])?;
        let int8 = evaluate(&["eval", &tnet, "--data", &data, "--json", "--out", &out])?;

        say("boot the firmware on an emulated Cortex-M4 and classify over its serial port");
        let digits = self.digits.to_string();
        let parity: Vec<Parity> = boards::ask(&["parity", "--board", BOARD, "--model", &tnet, "--images", &digits])?;
        let measured: Vec<Measured> = boards::ask(&["bench", "--board", BOARD, "--model", &tnet])?;
        let (parity, measured) = (first(parity)?, first(measured)?);
        println!("{}/{} identical on the board", parity.identical, parity.images);

        let rows = [
            ("float accuracy", percent(&float)),
            ("int8 accuracy", percent(&int8)),
            ("arena", format!("{} bytes", grouped(measured.arena_bytes))),
            ("flash", format!("{} bytes", grouped(measured.flash_bytes))),
            ("instructions per inference", grouped(measured.instructions)),
            ("multiplications per inference", grouped(measured.macs)),
        ];
        let rows = rows.map(|(what, figure)| vec![what.into(), figure]).into();
        println!("{}", table::terminal(&["nano", "on 10,000 test images"], 1, rows));
        for (what, name) in [
            ("loss and accuracy", "curves.png"),
            ("confusion matrix", "confusion.png"),
            ("misclassified digits", "misclassified.png"),
        ] {
            let picture = directory.join(name);
            ensure!(picture.exists(), "{} was not made", picture.display());
            println!("{what}: {}", picture.display());
        }
        ensure!(parity.identical == parity.images, "the board answers other than the host");
        Ok(())
    }
}

fn say(what: &str) {
    eprintln!("== {what}");
}

fn file(directory: &Path, name: &str) -> String {
    directory.join(name).display().to_string()
}

fn evaluate(arguments: &[&str]) -> Result<Evaluation> {
    first(json(&mut built("thumbnet", arguments))?)
}

fn first<T>(rows: Vec<T>) -> Result<T> {
    rows.into_iter().next().context("a program wrote no result")
}

fn percent(evaluation: &Evaluation) -> String {
    format!("{:.2} %", 100.0 * evaluation.correct as f64 / evaluation.images as f64)
}
