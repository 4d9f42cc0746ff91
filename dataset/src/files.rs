//! Finds the four files of a set by their usual names.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{DatasetError, Split};

/// The image file and the label file of one split in `dir`.
pub fn find(dir: &Path, split: Split) -> Result<(PathBuf, PathBuf), DatasetError> {
    let names = names_in(dir)?;
    let stems: &[&str] = match split {
        Split::Train => &["train"],
        Split::Test => &["t10k", "test"],
    };
    let images = pick(dir, &names, stems, "images", "idx3")?;
    let labels = pick(dir, &names, stems, "labels", "idx1")?;
    Ok((images, labels))
}

/// The whole content of a file.
pub fn read(path: &Path) -> Result<Vec<u8>, DatasetError> {
    fs::read(path).map_err(|source| DatasetError::Read { path: path.to_path_buf(), source })
}

fn names_in(dir: &Path) -> Result<Vec<String>, DatasetError> {
    let unreadable = |source| DatasetError::Read { path: dir.to_path_buf(), source };
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        names.extend(entry.map_err(unreadable)?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// The file named `[prefix-]STEM-KIND[-.]IDX-ubyte[.gz]`. A raw file is preferred to the gzipped one of the same name.
fn pick(dir: &Path, names: &[String], stems: &[&str], kind: &'static str, idx: &str) -> Result<PathBuf, DatasetError> {
    let endings: Vec<String> =
        stems.iter().flat_map(|stem| ["-", "."].map(|dot| format!("{stem}-{kind}{dot}{idx}-ubyte"))).collect();
    let matches = |name: &&String| {
        let raw = name.strip_suffix(".gz").unwrap_or(name);
        endings.iter().any(|ending| match raw.strip_suffix(ending.as_str()) {
            Some(prefix) => prefix.is_empty() || prefix.ends_with('-'),
            None => false,
        })
    };
    let found: Vec<&String> = names.iter().filter(matches).collect();
    match found[..] {
        [] => Err(DatasetError::Missing {
            dir: dir.to_path_buf(),
            what: kind,
            example: endings[0].clone(),
            example_dot: endings[1].clone(),
        }),
        [only] => Ok(dir.join(only)),
        // Sorted names: the raw file comes directly before its gzipped copy.
        [raw, zipped] if *zipped == format!("{raw}.gz") => Ok(dir.join(raw)),
        [first, second, ..] => {
            Err(DatasetError::Ambiguous { dir: dir.to_path_buf(), first: first.clone(), second: second.clone() })
        }
    }
}
