//! What can be wrong with a set of IDX files.

use std::path::PathBuf;

/// A set that cannot be read: names the file and the fault.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// A file with none of the usual names.
    #[error(
        "{}: no file of {what}: expected a name like {example}, {example_dot} or \
         emnist-digits-{example}, raw or with .gz", dir.display()
    )]
    Missing {
        /// The directory searched.
        dir: PathBuf,
        /// What the file would hold.
        what: &'static str,
        /// The first name tried.
        example: String,
        /// The same with a dot.
        example_dot: String,
    },
    /// Two files that could both be meant.
    #[error("{}: both {first} and {second} could be meant: keep one set in a directory", dir.display())]
    Ambiguous {
        /// The directory searched.
        dir: PathBuf,
        /// One file.
        first: String,
        /// Another file.
        second: String,
    },
    /// A directory or file which the operating system does not let us read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The directory or file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file whose content is wrong.
    #[error("{file}: {fault}")]
    Content {
        /// The file.
        file: String,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// What is wrong with a file's content.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The gzip layer is damaged.
    #[error("not a whole gzip file: {0}")]
    Gzip(String),
    /// Not an IDX file, or one of another kind.
    #[error("begins with {found:#010x}, expected {expected:#010x} (unsigned bytes in {dimensions} dimension(s))")]
    Magic {
        /// The first four bytes.
        found: u32,
        /// What an image or label file begins with.
        expected: u32,
        /// Dimensions that file has.
        dimensions: u32,
    },
    /// The file ends inside its header.
    #[error("ends inside its header: {found} bytes, the header alone has {expected}")]
    ShortHeader {
        /// Bytes there are.
        found: usize,
        /// Bytes of the header.
        expected: usize,
    },
    /// Images without pixels, or more pixels than can be.
    #[error("impossible dimensions: {count} images of {height} x {width} pixels")]
    Dimensions {
        /// Images.
        count: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// The file is cut off.
    #[error("truncated: its header promises {expected} bytes of data, it holds {found}")]
    Truncated {
        /// Bytes the header promises.
        expected: usize,
        /// Bytes there are.
        found: usize,
    },
    /// Something follows the data.
    #[error("{extra} bytes more than the {expected} that its header promises")]
    Trailing {
        /// Bytes the header promises.
        expected: usize,
        /// Bytes too many.
        extra: usize,
    },
    /// Not one label for each image.
    #[error("{labels} labels, but {images_file} holds {images} images")]
    CountMismatch {
        /// Labels there are.
        labels: usize,
        /// Images there are.
        images: usize,
        /// Where the images are.
        images_file: String,
    },
    /// A class that the network does not know.
    #[error("label {label} of image {index} is outside the {classes} classes 0..{classes}")]
    LabelOutsideClasses {
        /// Which image.
        index: usize,
        /// Its label.
        label: u8,
        /// Number of classes.
        classes: usize,
    },
}

impl Fault {
    /// The fault together with the file that has it.
    pub(crate) fn in_file(self, file: &str) -> DatasetError {
        DatasetError::Content { file: file.to_string(), fault: self }
    }
}
