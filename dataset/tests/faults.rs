//! Every way in which a set can be wrong is an error that names the file and the fault.

use std::fs;
use std::io::Write;
use std::path::Path;

use thumbnet_dataset::{Dataset, DatasetError, Fault, Split};

/// Three images of 2 x 3 pixels: image `i` holds the bytes `10 * i ..`.
fn images() -> Vec<u8> {
    let mut bytes = words(&[0x803, 3, 2, 3]);
    bytes.extend((0..3).flat_map(|i| (0..6).map(move |p| 10 * i + p)));
    bytes
}

fn labels() -> Vec<u8> {
    [words(&[0x801, 3]), vec![7, 0, 9]].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn fault(images: &[u8], labels: &[u8]) -> (String, Fault) {
    match Dataset::from_bytes(images, labels) {
        Err(DatasetError::Content { file, fault }) => (file, fault),
        other => panic!("expected a fault in the content, got {other:?}"),
    }
}

fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

#[test]
fn a_good_set_is_read_as_written() {
    let set = Dataset::from_bytes(&images(), &gzip(&labels())).unwrap();
    assert_eq!((set.len(), set.height(), set.width(), set.classes()), (3, 2, 3, 10));
    assert_eq!(set.image(1), [10, 11, 12, 13, 14, 15]);
    assert_eq!(set.labels(), [7, 0, 9]);
    assert_eq!(set.iter().map(|(image, label)| (image[0], label)).collect::<Vec<_>>(), [(0, 7), (10, 0), (20, 9)]);
    let tail = set.slice(1..99);
    assert_eq!((tail.len(), tail.image(1), tail.label(1)), (2, set.image(2), 9));
}

#[test]
fn labels_that_count_from_one_are_noticed() {
    let set =
        |labels: [u8; 3]| Dataset::from_bytes(&images(), &[words(&[0x801, 3]), labels.to_vec()].concat()).unwrap();
    let letters = set([2, 1, 3]);
    assert!(letters.counts_from_one());
    assert_eq!(letters.from_zero().labels(), [1, 0, 2]);
    // A gap: some digits, not all classes of a set.
    assert!(!set([1, 1, 3]).counts_from_one());
    assert!(!set([0, 1, 2]).counts_from_one());
    assert!(!set([0, 0, 0]).counts_from_one());
    assert_eq!(set([1, 46, 47]).from_zero().classes(), 47);
}

#[test]
fn classes_follow_the_labels() {
    let labels = [words(&[0x801, 3]), vec![7, 46, 9]].concat();
    let set = Dataset::from_bytes(&images(), &labels).unwrap();
    assert_eq!(set.classes(), 47);
    let error = set.expect_classes(10).unwrap_err().to_string();
    assert_eq!(error, "the labels: label 46 of image 1 is outside the 10 classes 0..10");
    assert!(set.expect_classes(47).is_ok());
}

#[test]
fn wrong_magic() {
    assert_eq!(
        fault(&labels(), &labels()),
        ("the images".into(), Fault::Magic { found: 0x801, expected: 0x803, dimensions: 3 })
    );
    assert_eq!(
        fault(&images(), &images()),
        ("the labels".into(), Fault::Magic { found: 0x803, expected: 0x801, dimensions: 1 })
    );
}

#[test]
fn short_headers() {
    assert_eq!(fault(&images()[..15], &labels()).1, Fault::ShortHeader { found: 15, expected: 16 });
    assert_eq!(fault(&images(), &[]).1, Fault::ShortHeader { found: 0, expected: 8 });
}

#[test]
fn impossible_dimensions() {
    let empty = words(&[0x803, 3, 0, 28]);
    assert_eq!(fault(&empty, &labels()).1, Fault::Dimensions { count: 3, height: 0, width: 28 });
    let huge = words(&[0x803, u32::MAX, u32::MAX, u32::MAX]);
    let most = u32::MAX as usize;
    assert_eq!(fault(&huge, &labels()).1, Fault::Dimensions { count: most, height: most, width: most });
}

#[test]
fn truncated_and_trailing() {
    let bytes = images();
    assert_eq!(fault(&bytes[..bytes.len() - 1], &labels()).1, Fault::Truncated { expected: 18, found: 17 });
    assert_eq!(fault(&images(), &labels()[..10]).1, Fault::Truncated { expected: 3, found: 2 });
    let longer = [labels(), vec![0, 0]].concat();
    assert_eq!(fault(&images(), &longer).1, Fault::Trailing { expected: 3, extra: 2 });
    let cut = gzip(&images());
    assert!(matches!(fault(&cut[..cut.len() - 9], &labels()).1, Fault::Gzip(_)));
}

#[test]
fn counts_that_differ() {
    let two = [words(&[0x801, 2]), vec![7, 0]].concat();
    let (file, fault) = fault(&images(), &two);
    assert_eq!(format!("{file}: {fault}"), "the labels: 2 labels, but the images holds 3 images");
}

#[test]
fn the_usual_names_are_found() {
    let (images, labels) = (images(), labels());
    let (images, labels, zipped) = (&images[..], &labels[..], gzip(&images));
    for (split, names) in [
        (Split::Train, ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]),
        (Split::Test, ["t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"]),
        (Split::Test, ["emnist-digits-test-images-idx3-ubyte", "emnist-digits-test-labels-idx1-ubyte"]),
    ] {
        let dir = directory(&[(names[0], images), (names[1], labels)]);
        assert_eq!(Dataset::load(dir.path(), split).unwrap().len(), 3, "{names:?}");
    }
    let both = directory(&[
        ("train-images-idx3-ubyte", images),
        ("train-images-idx3-ubyte.gz", &zipped),
        ("train-labels-idx1-ubyte", labels),
        ("t10k-labels-idx1-ubyte", b"of the other split"),
    ]);
    assert_eq!(Dataset::load(both.path(), Split::Train).unwrap().len(), 3);
}

#[test]
fn files_are_named_in_errors() {
    let message = |dir: &Path| Dataset::load(dir, Split::Test).unwrap_err().to_string();
    let (images, labels) = (images(), labels());

    let empty = directory(&[]);
    assert!(message(empty.path()).contains("no file of images: expected a name like t10k-images-idx3-ubyte"));
    assert!(message(&empty.path().join("nowhere")).contains("nowhere: cannot be read"));

    let wrong = directory(&[("t10k-images-idx3-ubyte", &images), ("t10k-labels-idx1-ubyte.gz", &images)]);
    assert!(message(wrong.path()).contains("t10k-labels-idx1-ubyte.gz: begins with 0x00000803"));

    let two = directory(&[
        ("t10k-images-idx3-ubyte", &images),
        ("emnist-digits-test-images-idx3-ubyte", &images),
        ("t10k-labels-idx1-ubyte", &labels),
    ]);
    assert!(message(two.path()).contains("both emnist-digits-test-images-idx3-ubyte and t10k-images-idx3-ubyte"));
}
