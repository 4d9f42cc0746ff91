//! What `thumbnet compile --report` writes: a table, the same as JSON, and a picture.

use std::path::Path;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use thumbnet_compiler::report::{LayerCost, Quantization};

use super::write;

/// Ratios are drawn up to this.
const HIGHEST: f64 = 60.0;

/// Writes `quantization.md`, `quantization.json` and `quantization.svg` into the directory.
pub fn write_all(directory: &Path, name: &str, report: &Quantization) -> anyhow::Result<()> {
    write(&directory.join("quantization.md"), table(name, report).as_bytes())?;
    write(&directory.join("quantization.json"), format!("{:#}\n", serde_json::to_value(report)?).as_bytes())?;
    write(&directory.join("quantization.svg"), picture(name, report).as_bytes())
}

/// In one line, what costs most.
pub fn costliest(report: &Quantization) -> String {
    match report.costliest.map(|index| (index, &report.layers[index])) {
        None => "no layer changes a result by itself".into(),
        Some((index, layer)) => {
            let right = layer.accuracy_alone.zip(report.float_accuracy).map_or_else(String::new, |(alone, floats)| {
                format!(", {:.2} % right where floats are {:.2} %", alone * 100.0, floats * 100.0)
            });
            format!(
                "layer {index} ({}, {}) costs most: alone in integers, {:.2} % of {} images keep their class{right}, divergence {:.2e}",
                layer.name,
                layer.op,
                layer.agreement_alone * 100.0,
                report.images,
                layer.divergence_alone,
            )
        }
    }
}

fn decibels(ratio: Option<f64>) -> String {
    ratio.map_or("exact".into(), |ratio| format!("{ratio:.1}"))
}

fn percent(part: f64) -> String {
    format!("{:.3} %", part * 100.0)
}

fn table(name: &str, report: &Quantization) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header([
        "layer",
        "operator",
        "node",
        "SNR by itself, dB",
        "SNR from the image, dB",
        "floats",
        "bytes cover",
        "clipped",
        "beyond the table",
        "bits of a sum",
        "divergence alone",
        "same class alone",
        "right alone",
    ]);
    for (index, layer) in report.layers.iter().enumerate() {
        let LayerCost { range: [least, largest], covered, beyond_table, accuracy_alone, .. } = layer;
        table.add_row([
            index.to_string(),
            layer.op.clone(),
            layer.name.replace('|', "/"),
            decibels(layer.own_snr),
            decibels(layer.snr),
            format!("{least:.3} to {largest:.3}"),
            covered.map_or("32 bits".into(), |[low, high]| format!("{low:.3} to {high:.3}")),
            percent(layer.clipped),
            beyond_table.map_or("-".into(), percent),
            layer.sum_bits.map_or("-".into(), |bits| format!("{bits} of 32")),
            format!("{:.2e}", layer.divergence_alone),
            percent(layer.agreement_alone),
            accuracy_alone.map_or("-".into(), percent),
        ]);
    }
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let known = |accuracy: Option<f64>| accuracy.map_or("unknown".into(), percent);
    format!(
        "# Quantization of {name}\n\n{} calibration images that the ranges were not measured on. Right: {} in floats, {} in integers; \
         the same class: {}.\n\n{}.\n\n{table}\n\nNo sum can leave 32 bits, whatever the image: that is proved when a model is \
         compiled. docs/quantization.md says what the columns mean.\n",
        report.images,
        known(report.float_accuracy),
        known(report.accuracy),
        percent(report.agreement),
        costliest(report),
    )
}

/// A bar a layer and ratio, and the layer that costs most marked. SVG: text is drawn by who shows it.
fn picture(name: &str, report: &Quantization) -> String {
    const LEFT: usize = 250;
    const WIDTH: usize = 480;
    const ROW: usize = 30;
    const TOP: usize = 60;
    let bottom = TOP + report.layers.len() * ROW;
    let along = |decibels: f64| decibels.clamp(0.0, HIGHEST) / HIGHEST * WIDTH as f64;
    let mut svg = String::new();
    let mut draw = |part: std::fmt::Arguments<'_>| svg.push_str(&part.to_string());
    draw(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"20\" font-size=\"15\">{}: signal to quantization noise, dB</text>\n\
         <rect x=\"10\" y=\"30\" width=\"10\" height=\"10\" fill=\"#9ecae1\"/><text x=\"25\" y=\"40\">layer by itself</text>\n\
         <rect x=\"130\" y=\"30\" width=\"10\" height=\"10\" fill=\"#08519c\"/><text x=\"145\" y=\"40\">from the image</text>\n\
         <text x=\"{LEFT}\" y=\"40\" fill=\"#c0392b\">red: costs most alone</text>\n",
        LEFT + WIDTH + 80,
        bottom + 40,
        escaped(name),
    ));
    for tick in (0..=HIGHEST as usize).step_by(10) {
        let x = LEFT as f64 + along(tick as f64);
        draw(format_args!(
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#ddd\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{tick}</text>\n",
            bottom + 16,
        ));
    }
    for (index, layer) in report.layers.iter().enumerate() {
        let y = TOP + index * ROW;
        let color = if report.costliest == Some(index) { "#c0392b" } else { "black" };
        let short: String = layer.name.chars().take(24).collect();
        draw(format_args!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"{color}\">{index} {} {}</text>\n",
            LEFT - 8,
            y + 18,
            layer.op,
            escaped(&short),
        ));
        for (offset, ratio, fill) in [(3, layer.own_snr, "#9ecae1"), (14, layer.snr, "#08519c")] {
            let width = along(ratio.unwrap_or(HIGHEST));
            draw(format_args!(
                "<rect x=\"{LEFT}\" y=\"{}\" width=\"{width:.1}\" height=\"10\" fill=\"{fill}\"/>\
                 <text x=\"{:.1}\" y=\"{}\" font-size=\"10\">{}</text>\n",
                y + offset,
                LEFT as f64 + width + 4.0,
                y + offset + 9,
                decibels(ratio),
            ));
        }
    }
    draw(format_args!("</svg>\n"));
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
