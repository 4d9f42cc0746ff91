//! A first success: the shipped `nano` on an emulated board, with nothing trained and little built.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;

use crate::setup;
use crate::shell::{built, cargo, root, run};

/// The board that is emulated.
const BOARD: &str = "mps2-an386";

/// Options of `cargo xtask try`.
#[derive(Args)]
pub struct Try {
    /// A picture of one digit; without one, the first MNIST test image
    #[arg(value_name = "PICTURE.png")]
    picture: Option<PathBuf>,
    /// The model
    #[arg(long, default_value = "models/nano/model.tnet", value_name = "MODEL.tnet")]
    model: PathBuf,
}

impl Try {
    /// Builds the host's side and the firmware, boots it, and lets it classify the picture.
    pub fn run(&self) -> Result<()> {
        let start = Instant::now();
        setup::rust_target("thumbv7em-none-eabihf")?;
        setup::qemu()?;
        run(&mut cargo(&["build", "--release", "--package", "thumbnet-device", "--example", "try"]))?;
        let path = |path: &PathBuf| -> Result<String> {
            let path = std::path::absolute(path).with_context(|| format!("finding {}", path.display()))?;
            Ok(path.display().to_string())
        };
        let model = match self.model.is_file() {
            true => path(&self.model)?,
            false => path(&root().join(&self.model))?,
        };
        let picture = self.picture.as_ref().map(path).transpose()?;
        let arguments: Vec<&str> = [BOARD, &model].into_iter().chain(picture.as_deref()).collect();
        run(&mut built("examples/try", &arguments))?;
        println!("{} s in all", start.elapsed().as_secs());
        Ok(())
    }
}
