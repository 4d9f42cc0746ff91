//! What can be wrong with a table of networks.

use std::path::PathBuf;

/// A table of networks that cannot be used, or a name that is not in it.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// A file that cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not the TOML that is expected.
    #[error("{file}: {fault}")]
    Parse {
        /// The file.
        file: String,
        /// What is wrong and where.
        fault: Box<toml::de::Error>,
    },
    /// No network of that name.
    #[error("no network is called `{name}`; there are: {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// A network that cannot be built or trained.
    #[error("network `{name}`: {fault}")]
    Invalid {
        /// The network.
        name: String,
        /// What is wrong and where.
        fault: String,
    },
    /// The same, found while its table was read.
    #[error("{file}: {fault}")]
    InTable {
        /// The file.
        file: String,
        /// What is wrong with which network.
        fault: Box<SpecError>,
    },
}
