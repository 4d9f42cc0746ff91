//! What a shell and `man` want to know of the command line.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Command};
use clap_complete::Shell;

/// Print completions for a shell
#[derive(Args)]
pub struct Completions {
    /// The shell; for bash, put the output into ~/.local/share/bash-completion/completions/NAME
    shell: Shell,
}

/// Write manual pages, one for each subcommand
#[derive(Args)]
pub struct Manual {
    /// Where to, such as ~/.local/share/man/man1
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub fn complete(arguments: &Completions, mut command: Command) -> anyhow::Result<()> {
    let name = command.get_name().to_string();
    // Into memory first: clap panics where standard output takes no more.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, name, &mut script);
    io::stdout().write_all(&script).context("the completions cannot be written")
}

pub fn manual(arguments: &Manual, command: Command) -> anyhow::Result<()> {
    let failed = || format!("{} cannot be written", arguments.directory.display());
    std::fs::create_dir_all(&arguments.directory).with_context(failed)?;
    clap_mangen::generate_to(command, &arguments.directory).with_context(failed)
}
