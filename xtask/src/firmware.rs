//! Builds the firmware and says how large it is.

use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::boards;
use crate::setup;
use crate::table::{self, grouped};

/// Options of `cargo xtask firmware`.
#[derive(Args, Default)]
pub struct Firmware {
    /// Only this board of firmware/boards.toml
    #[arg(long)]
    board: Option<String>,
    /// The model in the image [default: models/nano/model.tnet]
    #[arg(long, value_name = "PATH")]
    model: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize, Serialize)]
struct Image {
    board: String,
    core: String,
    emulated: bool,
    text_bytes: u64,
    data_bytes: u64,
    bss_bytes: u64,
    arena_bytes: u64,
}

impl Firmware {
    /// Sets up, builds and reports.
    pub fn run(&self) -> Result<()> {
        setup::rust_targets()?;
        boards::build()?;
        self.report()
    }

    /// Builds the images and reports; the program `boards` must have been built.
    pub fn report(&self) -> Result<()> {
        let options = boards::options(&[("--board", &self.board), ("--model", &self.model)]);
        let images: Vec<Image> = boards::ask(&[&["firmware"], &options[..]].concat())?;
        if self.json {
            return boards::print_json(&images);
        }
        let rows = images.into_iter().map(|image| {
            let sizes = [image.text_bytes, image.data_bytes, image.bss_bytes, image.arena_bytes].map(grouped);
            let emulated = if image.emulated { "yes" } else { "no" };
            [vec![image.board, image.core, emulated.into()], sizes.into()].concat()
        });
        let head = ["board", "core", "emulated", "text", "data", "bss", "arena"];
        println!("{}", table::terminal(&head, 3, rows.collect()));
        Ok(())
    }
}
