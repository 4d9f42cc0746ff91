//! Data of a tensor that lie in a file beside the model, as `torch.onnx.export` writes them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use tract_onnx::pb;
use tract_onnx::pb::tensor_proto::DataLocation;

/// Largest part of such a file that a tensor may be.
const MAX_BYTES: u64 = 1 << 30;

/// Reads the tensor's data from its file in `folder`, if they lie in one.
pub fn resolve(tensor: &mut pb::TensorProto, folder: Option<&Path>) -> Result<(), String> {
    if tensor.data_location != Some(DataLocation::External as i32) && tensor.external_data.is_empty() {
        return Ok(());
    }
    let entry =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    let name = entry("location").ok_or("its data are in another file that is not named")?;
    let Some(folder) = folder else {
        return Err(format!("its data are in another file, {name}: export the model as one file"));
    };
    let path = Path::new(name);
    if path.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(format!("its data are in {name}, which is not beside the model: export it as one file"));
    }
    let number = |key: &str| match entry(key).map(str::parse::<u64>) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(format!("its data have no number for their {key}")),
    };
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    let path = folder.join(path);
    let shown = path.display();
    let missing = |error| format!("its data are in {shown}, which must lie beside the model: {error}");
    let mut file = File::open(&path).map_err(missing)?;
    let size = file.metadata().map_err(missing)?.len();
    let length = length.unwrap_or(size.saturating_sub(offset));
    if offset.checked_add(length).is_none_or(|end| end > size) || length > MAX_BYTES {
        return Err(format!("its data are {length} bytes from {offset} of {shown}, which has {size}: copy it again"));
    }
    let mut bytes = vec![0; length as usize];
    file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(&mut bytes)).map_err(missing)?;
    tensor.raw_data = bytes;
    tensor.external_data.clear();
    tensor.data_location = Some(DataLocation::Default as i32);
    Ok(())
}
