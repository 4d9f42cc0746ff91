//! `thumbnet device`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use dataset::{Dataset, Split};
use serde_json::{Value, json};
use thumbnet::format::{Shape, checksum};
use thumbnet::{Model, Network};
use thumbnet_compiler::evaluate::expect_size;
use thumbnet_device::{Connection, DeviceInfo, DevicePrediction, Place, Port};

use super::{classify, parse, progress_bar, read};

/// Talk to a board that runs the firmware
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    line: Line,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Command,
}

/// Where the board is.
#[derive(Args)]
#[group(multiple = false)]
struct Line {
    /// The board's serial port, such as /dev/ttyACM0, at 115200 bits per second [default: the one of a board that we know]
    #[arg(long, value_name = "DEVICE")]
    port: Option<String>,
    /// An emulated board, or a serial port server
    #[arg(long, value_name = "HOST:PORT")]
    tcp: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// List the serial ports over USB, and which boards may be behind them
    List,
    #[command(flatten)]
    Ask(Action),
}

#[derive(Subcommand)]
enum Action {
    /// Say what the board is and which model it runs
    Info,
    /// Let the board say which digit a picture shows
    Classify {
        /// A picture as for `thumbnet classify`
        image: PathBuf,
        /// Send the picture row by row
        #[arg(long)]
        rows: bool,
    },
    /// Let the board classify test images
    Eval {
        /// Directory with the test images (IDX files)
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Use the first N images only
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
        /// The model that the board runs: compare every logit with the host's, bit for bit; a difference is an error
        #[arg(long, value_name = "MODEL.tnet")]
        model: Option<PathBuf>,
    },
    /// Measure the network on the board, transport left out
    Bench {
        /// A picture as for `thumbnet classify`; a circle where none is given
        #[arg(long)]
        image: Option<PathBuf>,
        /// How often to classify it
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
        runs: u16,
    },
}

/// The baud rate of every board's serial line.
pub const BAUD: u32 = 115_200;

pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let action = match &arguments.action {
        Command::List => return list(arguments.json),
        Command::Ask(action) => action,
    };
    let mut connection = match (&arguments.line.port, &arguments.line.tcp) {
        (Some(port), _) => Connection::serial(port, BAUD)?,
        (None, Some(address)) => Connection::tcp(address)?,
        (None, None) => Connection::serial(&Port::find()?.name, BAUD)?,
    };
    let info = connection.info()?;
    let (value, text) = match action {
        Action::Info => (serde_json::to_value(&info)?, describe(&info)),
        Action::Classify { image, rows } => {
            let pixels = classify::pixels(image, shape(&info))?;
            let prediction =
                if *rows { connection.classify_rows(&pixels, info.row_len()) } else { connection.classify(&pixels) }?;
            predicted(&info, &prediction)
        }
        Action::Eval { data, limit, model } => eval(&mut connection, &info, data, *limit, model.as_deref())?,
        Action::Bench { image, runs } => {
            let pixels = match image {
                Some(image) => classify::pixels(image, shape(&info))?,
                None => circle(&info),
            };
            bench(&mut connection, &info, &pixels, *runs)?
        }
    };
    println!("{}", if arguments.json { value.to_string() } else { text });
    Ok(())
}

fn list(as_json: bool) -> anyhow::Result<()> {
    let ports = Port::all()?;
    if ports.is_empty() && !as_json {
        println!("there is no serial port over USB");
    }
    for Port { name, usb, product, boards, .. } in ports {
        let id = format!("{:04x}:{:04x}", usb.vendor, usb.product);
        if as_json {
            println!("{}", json!({"port": name, "usb": id, "product": product, "boards": boards}));
        } else {
            println!("{name}  {id}  {}  {}", product.unwrap_or_default(), boards.join(", "));
        }
    }
    Ok(())
}

/// What enters the model that the board runs.
pub fn shape(info: &DeviceInfo) -> Shape {
    Shape { height: info.height, width: info.width, channels: info.channels }
}

fn describe(info: &DeviceInfo) -> String {
    let DeviceInfo { board, core, model, height, width, channels, outputs, .. } = info;
    let place = if info.place == Place::Chip { "" } else { "emulated " };
    format!(
        "{place}{board}, {core}\nmodel {model}: {height} x {width} x {channels} values, {outputs} outputs\n\
         flash {} bytes (model {}), arena {} bytes",
        info.flash_bytes, info.model_bytes, info.arena_bytes
    )
}

/// Ticks in the unit that they mean on this board.
fn duration(info: &DeviceInfo, ticks: u64) -> String {
    match (info.instructions(ticks), info.milliseconds(ticks)) {
        (Some(count), _) => format!("{count} instructions"),
        (None, Some(milliseconds)) => format!("{ticks} cycles, {milliseconds:.2} ms"),
        (None, None) => format!("{ticks} clock ticks"),
    }
}

fn predicted(info: &DeviceInfo, prediction: &DevicePrediction) -> (Value, String) {
    let DevicePrediction { class, logits, ticks } = prediction;
    let instructions = ticks.and_then(|ticks| info.instructions(ticks));
    let value = json!({"class": class, "logits": logits, "ticks": ticks, "instructions": instructions});
    let spent = ticks.map_or_else(String::new, |ticks| format!("\n{}", duration(info, ticks)));
    (value, format!("{class}\nlogits {logits:?}{spent}"))
}

fn eval(
    connection: &mut Connection,
    info: &DeviceInfo,
    data: &Path,
    limit: Option<usize>,
    model: Option<&Path>,
) -> anyhow::Result<(Value, String)> {
    let images = Dataset::load(data, Split::Test)?;
    expect_size(shape(info), &images).with_context(|| data.display().to_string())?;
    let count = limit.unwrap_or(images.len()).min(images.len());
    ensure!(count > 0, "there are no images to classify");
    let bytes = model.map(read).transpose()?;
    let host = model.zip(bytes.as_deref()).map(|(path, bytes)| parse(path, bytes)).transpose()?;
    if let Some(host) = &host {
        ensure!(checksum(host.bytes()) == info.model_crc, "the board runs another model, {}", info.model);
    }

    let bar = progress_bar("on the board", count);
    let (mut correct, mut ticks, mut different) = (0, Vec::new(), Vec::new());
    for index in 0..count {
        let pixels = images.image(index);
        let prediction = connection.classify(pixels).with_context(|| format!("image {index}"))?;
        correct += usize::from(prediction.class == usize::from(images.label(index)));
        ticks.extend(prediction.ticks);
        if let Some(host) = &host
            && on_host(host, pixels)? != (prediction.class, prediction.logits)
        {
            different.push(index);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if let Some(first) = different.first() {
        bail!("{} of {count} images differ from the host, image {first} first", different.len());
    }
    let accuracy = correct as f64 / count as f64;
    let identical = host.as_ref().map(|_| count);
    let slowest = ticks.iter().max().copied();
    let value = json!({
        "board": info.board,
        "model": info.model,
        "images": count,
        "correct": correct,
        "accuracy": accuracy,
        "identical": identical,
        "max_ticks": slowest,
        "max_instructions": slowest.and_then(|ticks| info.instructions(ticks)),
    });
    let mut text = format!("{correct} of {count} images right: accuracy {:.2} %", accuracy * 100.0);
    if let Some(identical) = identical {
        text += &format!("\n{identical}/{count} identical on the board");
    }
    if let Some(slowest) = slowest {
        text += &format!("\nat most {} an image", duration(info, slowest));
    }
    Ok((value, text))
}

/// Class and logits as this computer finds them.
fn on_host(model: &Model<'_>, pixels: &[u8]) -> anyhow::Result<(usize, Vec<i32>)> {
    let mut arena = vec![0; model.arena_len()];
    let mut network = Network::new(model, &mut arena)?;
    let prediction = network.classify(pixels)?;
    Ok((prediction.class(), prediction.logits().iter().collect()))
}

fn bench(connection: &mut Connection, info: &DeviceInfo, pixels: &[u8], runs: u16) -> anyhow::Result<(Value, String)> {
    let benchmark = connection.benchmark(pixels, runs)?;
    let mean = benchmark.total.checked_div(runs.into()).unwrap_or(0);
    let value = json!({
        "board": info.board,
        "model": info.model,
        "runs": benchmark.runs,
        "fastest_ticks": benchmark.fastest,
        "slowest_ticks": benchmark.slowest,
        "mean_ticks": mean,
        "instructions": info.instructions(mean),
        "arena_bytes": info.arena_bytes,
        "flash_bytes": info.flash_bytes,
    });
    let [mean, fastest, slowest] = [mean, benchmark.fastest, benchmark.slowest].map(|ticks| duration(info, ticks));
    Ok((value, format!("{mean} an image on average of {runs} runs, fastest {fastest}, slowest {slowest}")))
}

/// A bright circle on black.
fn circle(info: &DeviceInfo) -> Vec<u8> {
    let (height, width) = (i64::from(info.height), i64::from(info.width));
    let side = height.min(width);
    let (inner, outer) = ((side / 4).pow(2), (side / 3).pow(2));
    let pixel = |row: i64, column: i64| {
        let distance = (row - height / 2).pow(2) + (column - width / 2).pow(2);
        if (inner..=outer).contains(&distance) { u8::MAX } else { 0 }
    };
    let pixels = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
    pixels.flat_map(|(row, column)| std::iter::repeat_n(pixel(row, column), info.channels.into())).collect()
}
