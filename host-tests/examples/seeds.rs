//! Writes the first inputs of every fuzz target to `fuzz/corpus/`: small good files of every kind.
//!
//!     cargo run --release -p host-tests --example seeds

#[path = "../../inference-core/tests/builder/mod.rs"]
mod builder;
#[path = "../../compiler/tests/common/mod.rs"]
#[allow(missing_docs)]
mod common;

use std::io::{Cursor, Write};
use std::{fs, io};

use builder::networks::{byte_result, every_operator};
use builder::{Draft, pack};
use common::{Graph, int, ints, text};
use flate2::Compression;
use flate2::write::GzEncoder;
use fuzz::corpus;
use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use protocol::{
    Benchmark, ErrorCode, FrameError, Info, OwnedReply as Reply, Place, Prediction, Request, VERSION, encode,
};
use thumbnet::format::{Algorithm, Op, Pool, Shape, Window};

fn main() -> io::Result<()> {
    write("model", models())?;
    write("requests", requests())?;
    write("replies", replies())?;
    write("idx", sets())?;
    write("onnx", networks())?;
    write("picture", pictures())
}

type Named = Vec<(&'static str, Vec<u8>)>;

fn write(target: &str, inputs: Named) -> io::Result<()> {
    let directory = corpus(target);
    fs::create_dir_all(&directory)?;
    for (name, bytes) in inputs {
        fs::write(directory.join(name), bytes)?;
    }
    Ok(())
}

fn models() -> Named {
    let image = |side, channels| Shape { height: side, width: side, channels };
    let conv = |side, channels, size, algorithm, pool| {
        Draft::new(Op::Conv, image(side, channels), 2).shaped(|layer| {
            (layer.window, layer.algorithm, layer.pool) = (Window::square(size, 0), algorithm, pool);
        })
    };
    let pool = Pool { size: 2, stride: 2, pad_bottom: 0, pad_right: 0 };
    let classified = |first: Draft| {
        let last = Draft::new(Op::Dense, first.layer.output, 2).logits();
        pack(&[first, last])
    };
    let depthwise = Draft::new(Op::DepthwiseConv, image(4, 2), 2).shaped(|layer| {
        layer.window = Window::new([3, 3], [1, 1], [1, 1, 0, 0]);
        layer.input_zero_point = 3;
    });
    // Both maps of a joined pair are small, and one of them waits.
    let pair = |op, channels| {
        let one = Draft::new(Op::Conv, image(4, 2), 2).reads(0);
        let other = one.clone().shaped(|layer| layer.window = Window::square(3, 1));
        let mut joined = Draft::new(op, image(4, 2), channels);
        if op == Op::Add {
            joined = joined.shaped(|layer| layer.factors = [3, -2]);
        }
        pack(&[one, other, joined.joins(1, 2)])
    };
    let pooled = |op| Draft::new(op, image(5, 2), 0).shaped(|layer| layer.window = Window::new([3, 3], [2, 2], [1; 4]));
    let grouped = Draft::new(Op::GroupedConv, image(4, 4), 2)
        .shaped(|layer| (layer.window, layer.groups) = (Window::square(3, 1), 2))
        .byte_table(|index| index ^ 0x55);
    let vector = Draft::new(Op::Dense, Shape { height: 1, width: 2, channels: 3 }, 5);
    vec![
        ("add", pair(Op::Add, 0)),
        ("concat", pair(Op::Concat, 4)),
        ("max-pool", pack(&[pooled(Op::MaxPool)])),
        ("average-pool", pack(&[pooled(Op::AveragePool).averages()])),
        ("grouped", classified(grouped)),
        ("multiplier", classified(Draft::new(Op::DepthwiseConv, image(3, 2), 4))),
        ("vector", classified(vector)),
        ("byte-result", pack(&byte_result())),
        ("dense", pack(&[Draft::new(Op::Dense, image(2, 1), 2).logits()])),
        ("conv", classified(conv(5, 1, 3, Algorithm::Direct, Pool::NONE))),
        ("conv-pool", classified(conv(5, 2, 2, Algorithm::Direct, pool))),
        ("depthwise", classified(depthwise)),
        ("average", classified(Draft::new(Op::GlobalAveragePool, image(3, 2), 2))),
        ("winograd3", classified(conv(6, 4, 3, Algorithm::Winograd, Pool::NONE))),
        ("winograd3-pool", classified(conv(6, 4, 3, Algorithm::Winograd, pool))),
        ("winograd5", classified(conv(8, 4, 5, Algorithm::Winograd, Pool::NONE))),
        ("winograd7-pool", classified(conv(10, 4, 7, Algorithm::Winograd, pool))),
        ("every-operator", pack(&every_operator())),
    ]
}

fn requests() -> Named {
    let pixels = [0, 255, 0, 7];
    let requests = [
        ("info", Request::Info),
        ("classify", Request::Classify { pixels: &[3; 784] }),
        ("row", Request::ClassifyRow { row: 1, pixels: &pixels }),
        ("benchmark", Request::Benchmark { pixels: &pixels, runs: 300 }),
        ("layer", Request::BenchmarkLayer { pixels: &pixels, layer: 2 }),
    ];
    requests
        .iter()
        .map(|(name, request)| (*name, frame(request)))
        .chain([("message", vec![2, 1, 4, 0, 255, 0, 7])])
        .collect()
}

fn replies() -> Named {
    let name = "mps2-an386";
    let info = Info {
        protocol: VERSION,
        board: name,
        core: "Cortex-M4",
        place: Place::Instructions,
        counter_hz: Some(25_000_000),
        model: "nano",
        model_crc: 0x67a7_df7f,
        height: 28,
        width: 28,
        channels: 1,
        outputs: 10,
        arena_bytes: 3228,
        model_bytes: 9368,
        flash_bytes: 60_000,
    };
    let logits = vec![-70_000, 0, 255, i32::MAX];
    let replies: [(&str, Reply<'_>); 5] = [
        ("info", Reply::Info(info)),
        ("prediction", Reply::Prediction(Prediction { class: 300, ticks: Some(1 << 40), logits })),
        ("row", Reply::RowAccepted { row: 27 }),
        ("benchmark", Reply::Benchmark(Benchmark { runs: 3, fastest: 1, slowest: 1 << 33, total: u64::MAX })),
        ("error", Reply::Error(ErrorCode::Frame(FrameError::Checksum))),
    ];
    replies.iter().map(|(name, reply)| (*name, frame(reply))).chain([("message", vec![1, 3, 0, 2, 5, 6])]).collect()
}

fn frame(message: &impl serde::Serialize) -> Vec<u8> {
    let mut buffer = [0; 1024];
    encode(5, message, &mut buffer).expect("the buffer is large enough").to_vec()
}

fn sets() -> Named {
    let (images, labels) = common::idx(3, 2, 2, 1);
    let both = |images: &[u8], labels: &[u8]| [&(images.len() as u16).to_le_bytes()[..], images, labels].concat();
    let zip = |bytes: &[u8]| {
        let mut zipped = GzEncoder::new(Vec::new(), Compression::best());
        zipped.write_all(bytes).and_then(|()| zipped.finish()).expect("memory can be written")
    };
    vec![("raw", both(&images, &labels)), ("gzip", both(&zip(&images), &zip(&labels)))]
}

fn networks() -> Named {
    let image = || Graph::new([1, 4, 4]);
    let relu = |graph: Graph| graph.node("Relu", "relu", &[], vec![]);
    let pooled = |graph: Graph| graph.node("MaxPool", "pool", &[], vec![ints("kernel_shape", &[2, 2])]);
    let conv = || image().conv("conv", [2, 1, 3, 3], vec![]);
    let padded = image().conv("conv", [2, 1, 3, 3], vec![text("auto_pad", "SAME_UPPER"), ints("strides", &[2, 1])]);
    let depthwise = conv().conv("depthwise", [2, 1, 2, 2], vec![int("group", 2)]);
    let explicit = image().integers("pads", &[0, 0, 1, 1, 0, 0, 1, 1]).node("Pad", "pad", &["pads"], vec![]);
    let average = relu(conv()).node("GlobalAveragePool", "average", &[], vec![]);
    let reshaped = conv().integers("shape", &[0, -1]).node("Reshape", "reshape", &["shape"], vec![]);
    let files = [
        ("conv", conv().classes(8)),
        ("relu-pool", pooled(relu(conv())).classes(2)),
        ("normalized", relu(conv().batch_norm("norm", 2)).classes(8)),
        ("sigmoid", conv().node("Sigmoid", "sigmoid", &[], vec![]).classes(8)),
        ("padded", padded.classes(16)),
        ("depthwise", depthwise.classes(2)),
        ("pad", explicit.conv("conv", [1, 1, 3, 3], vec![]).classes(16)),
        ("average", average.classes(2)),
        ("reshape", reshaped.classes(8)),
        ("softmax", image().classes(16).node("Softmax", "softmax", &[], vec![int("axis", 1)])),
    ];
    files.into_iter().map(|(name, graph)| (name, graph.bytes())).collect()
}

fn pictures() -> Named {
    // A ring of light ink on dark paper.
    let ring = GrayImage::from_fn(9, 7, |x, y| {
        Luma([if (6..12).contains(&((x as i32 - 4).pow(2) + (y as i32 - 3).pow(2))) { 220 } else { 10 }])
    });
    let gray = DynamicImage::ImageLuma8(ring);
    let file = |picture: DynamicImage, format| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).expect("memory can be written");
        bytes.into_inner()
    };
    vec![
        ("gray.png", file(gray.clone(), ImageFormat::Png)),
        ("alpha.png", file(gray.to_luma_alpha8().into(), ImageFormat::Png)),
        ("color.png", file(gray.to_rgb8().into(), ImageFormat::Png)),
        ("deep.png", file(gray.to_luma16().into(), ImageFormat::Png)),
        ("gray.pgm", file(gray.clone(), ImageFormat::Pnm)),
        ("color.ppm", file(gray.to_rgb8().into(), ImageFormat::Pnm)),
        ("text.pgm", b"P2 3 3 255\n0 0 0 0 255 0 9 200 0\n".to_vec()),
        ("bits.pbm", b"P4\n8 2\n\x18\x3c".to_vec()),
        ("digit.raw", (0..784).map(|index| (index % 28 / 9 * 100) as u8).collect()),
    ]
}
