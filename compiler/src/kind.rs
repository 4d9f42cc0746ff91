//! What a file is that is not what was expected: people give a command the file that they have.

use thumbnet::format::MAGIC;

/// A file of another kind, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No byte at all.
    Empty,
    /// What git keeps in place of a large file.
    LfsPointer,
    /// A web page.
    WebPage,
    /// An archive of `torch.save`, or the pickle that it was before.
    PyTorch,
    /// An archive of `model.save("NAME.keras")`.
    Keras,
    /// HDF5, as of `model.save("NAME.h5")`.
    Hdf5,
    /// An archive of NumPy's arrays.
    Npz,
    /// Another zip archive.
    Zip,
    /// A gzip file.
    Gzip,
    /// Weights alone.
    Safetensors,
    /// ONNX Runtime's own format.
    OrtFormat,
    /// A compiled model.
    Tnet,
    /// JSON text.
    Json,
}

/// What git writes first into a pointer.
const LFS_POINTER: &[u8] = b"version https://git-lfs";
/// The first bytes of a pickle, before the number of its protocol.
const PICKLE: u8 = 0x80;
/// The protocols of pickles as files have them.
const PROTOCOLS: std::ops::RangeInclusive<u8> = 2..=5;
/// How far names of a zip archive's first files are looked for.
const ZIP_NAMES: usize = 4096;

impl Kind {
    /// The kind of a file with these bytes; `None` where it is none of these.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let text = bytes.trim_ascii_start();
        let begins =
            |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()));
        Some(match bytes {
            [] => Self::Empty,
            _ if bytes.starts_with(&MAGIC) => Self::Tnet,
            _ if bytes.starts_with(LFS_POINTER) => Self::LfsPointer,
            _ if bytes.starts_with(b"\x89HDF\r\n\x1a\n") => Self::Hdf5,
            _ if bytes.starts_with(b"PK\x03\x04") => Self::of_zip(bytes),
            [0x1f, 0x8b, ..] => Self::Gzip,
            [PICKLE, protocol, ..] if PROTOCOLS.contains(protocol) => Self::PyTorch,
            _ if bytes.get(4..8) == Some(b"ORTM") => Self::OrtFormat,
            _ if is_safetensors(bytes) => Self::Safetensors,
            _ if begins("<!doctype html") || begins("<html") || begins("<head") => Self::WebPage,
            _ if begins("{\"") || begins("{\n") => Self::Json,
            _ => return None,
        })
    }

    /// By the names of the files in the archive: the first ones, and those of the list at its end.
    fn of_zip(bytes: &[u8]) -> Self {
        let (first, last) = (bytes.len().min(ZIP_NAMES), bytes.len().saturating_sub(ZIP_NAMES));
        let holds = |name: &str| {
            let found = |part: &[u8]| part.windows(name.len()).any(|window| window == name.as_bytes());
            found(&bytes[..first]) || found(&bytes[last..])
        };
        if holds("data.pkl") {
            Self::PyTorch
        } else if holds("model.weights.h5") {
            Self::Keras
        } else if holds(".npy") {
            Self::Npz
        } else {
            Self::Zip
        }
    }

    /// What it is, as in "this is ...".
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "an empty file",
            Self::LfsPointer => "a Git LFS pointer, not the file that it stands for",
            Self::WebPage => "a web page",
            Self::PyTorch => "a PyTorch checkpoint (torch.save)",
            Self::Keras => "a Keras model (.keras)",
            Self::Hdf5 => "an HDF5 file (.h5), as Keras saves models",
            Self::Npz => "an archive of NumPy arrays (.npz)",
            Self::Zip => "a zip archive",
            Self::Gzip => "a gzip file",
            Self::Safetensors => "a safetensors file: weights without their network",
            Self::OrtFormat => "a file in ONNX Runtime's own format (.ort)",
            Self::Tnet => "a compiled model (.tnet)",
            Self::Json => "JSON text",
        }
    }

    /// What to do to have an ONNX file.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Empty => "download or export it again",
            Self::LfsPointer => "run `git lfs pull` where it was cloned, or download the file itself",
            Self::WebPage => "download the file itself, not the page that shows it (\"raw\", \"download\")",
            Self::PyTorch => {
                "load it into its network in Python and export that: \
                 torch.onnx.export(model.eval(), example, \"model.onnx\", dynamo=False); docs/from-pytorch.md has a script"
            }
            Self::Keras | Self::Hdf5 => {
                "export it in Python: keras.models.load_model(FILE).export(\"model.onnx\", format=\"onnx\"), \
                 or by tf2onnx; docs/from-keras.md has a script"
            }
            Self::Npz => "that is a data set, or weights alone: export the network itself as ONNX",
            Self::Zip => "unpack it, and give the .onnx file in it",
            Self::Gzip => "unpack it with gunzip",
            Self::Safetensors => {
                "load them into their network in Python and export that as ONNX; docs/from-pytorch.md has a script"
            }
            Self::OrtFormat => "give the .onnx file that it was made from",
            Self::Tnet => "it needs no compiling: thumbnet eval, classify and inspect take it as it is",
            Self::Json => {
                "that describes a network without its weights, or is something else: export the network as ONNX"
            }
        }
    }
}

/// A length of 8 bytes, then that much JSON.
fn is_safetensors(bytes: &[u8]) -> bool {
    let Some((len, rest)) = bytes.split_first_chunk() else { return false };
    let len = u64::from_le_bytes(*len);
    rest.starts_with(b"{")
        && len >= 2
        && len <= rest.len() as u64
        && rest.get(len as usize - 1).is_some_and(|end| b"} ".contains(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A zip archive's first header, of a file of this name.
    fn zip(name: &str) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04".to_vec();
        bytes.resize(26, 0);
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend(name.bytes());
        bytes
    }

    #[test]
    fn each_kind_is_known_by_its_bytes() {
        let safetensors = [&22u64.to_le_bytes()[..], b"{\"a\":{\"dtype\":\"F32\"}} ", &[0; 4]].concat();
        let files: [(&[u8], Kind); 17] = [
            (b"", Kind::Empty),
            (b"version https://git-lfs.example/spec/v1\noid sha256:00\nsize 1\n", Kind::LfsPointer),
            (b"\n\n<!DOCTYPE html>\n<html>", Kind::WebPage),
            (b"<HTML lang=en>", Kind::WebPage),
            (&zip("archive/data.pkl"), Kind::PyTorch),
            (&zip("model/data.pkl"), Kind::PyTorch),
            (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", Kind::PyTorch),
            (&[zip("metadata.json"), zip("config.json"), zip("model.weights.h5")].concat(), Kind::Keras),
            (b"\x89HDF\r\n\x1a\n\0\0", Kind::Hdf5),
            (&zip("x_train.npy"), Kind::Npz),
            (&zip("readme.txt"), Kind::Zip),
            (b"\x1f\x8b\x08\0", Kind::Gzip),
            (&safetensors, Kind::Safetensors),
            (b"\x20\0\0\0ORTM\0", Kind::OrtFormat),
            (b"TNET\x02\0", Kind::Tnet),
            (b"{\"class_name\": \"Sequential\"}", Kind::Json),
            (b"{\n  \"nodes\": []}", Kind::Json),
        ];
        for (bytes, kind) in files {
            assert_eq!(Kind::of(bytes), Some(kind), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_protobuf_is_none_of_them() {
        // An ONNX file begins with its version, or with whatever field its writer had first.
        for bytes in [&b"\x08\x08\x12\x07pytorch"[..], b"\x3a\x80\x02\x0a", b"\x42\x04\x0a\0\x10\x0d", b"\x08"] {
            assert_eq!(Kind::of(bytes), None);
        }
    }
}
