//! An image onto a board: `thumbnet-board` of the device crate does it, without the rest of the workspace.

use anyhow::Result;
use clap::Args;

use crate::setup;
use crate::shell::{cargo, run};

/// Options of `cargo xtask flash`.
#[derive(Args)]
pub struct Flash {
    /// The board, a row of firmware/boards.toml
    #[arg(long)]
    board: String,
    /// The model in the image
    #[arg(long, value_name = "PATH", default_value = "models/nano/model.tnet")]
    model: String,
}

impl Flash {
    /// Builds the image and puts it onto the board that is connected.
    pub fn run(&self) -> Result<()> {
        setup::rust_targets()?;
        let tool = ["run", "--quiet", "--release", "--package", "thumbnet-device", "--bin", "thumbnet-board", "--"];
        run(&mut cargo(&[&tool[..], &["flash", &self.board, &self.model]].concat()))
    }
}
