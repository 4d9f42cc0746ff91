//! The tables of docs/parity.md.

use super::line::{Float, Histogram, Line, Row};
use crate::table::{grouped, markdown};

/// The columns that differences are sorted into: the least of each, in steps.
const BINS: [(usize, &str); 6] = [(0, "0"), (1, "1"), (2, "2"), (3, "3"), (4, "4 to 7"), (8, "8 and more")];

/// Models by what they were compared with.
pub fn models(lines: &[Line]) -> String {
    let rows: Vec<&Row> =
        lines.iter().filter_map(|line| if let Line::Row(row) = line { Some(row) } else { None }).collect();
    let mut columns: Vec<&str> = Vec::new();
    for row in &rows {
        if !columns.contains(&row.against.as_str()) {
            columns.push(&row.against);
        }
    }
    let mut models: Vec<&str> = rows.iter().map(|row| row.model.as_str()).collect();
    models.dedup();
    let cell = |model: &str, against: &str| {
        let row = rows.iter().find(|row| row.model == model && row.against == against);
        row.map_or(String::new(), |row| match &row.unfit {
            Some(reason) => reason.clone(),
            None => format!("{} / {} / {}", grouped(row.images), row.mismatches, row.largest),
        })
    };
    let cells = |model: &&str| {
        std::iter::once(model.to_string()).chain(columns.iter().map(|against| cell(model, against))).collect()
    };
    let table = models.iter().map(cells).collect();
    markdown(&[&["network"], &columns[..]].concat(), 1, table)
}

/// How far the logits of the runtimes are off.
pub fn logits(lines: &[Line]) -> String {
    let row = |line: &Line| {
        let Line::Row(Row { model, against, runtime: Some(runtime), .. }) = line else { return None };
        let counts = [runtime.identical, runtime.other, runtime.close].map(grouped);
        Some([vec![model.clone(), against.clone()], counts.into(), bins(&runtime.logits)].concat())
    };
    let head =
        ["network", "runtime", "images with equal logits", "with another digit", "of these two best within a step"];
    histogram_table(&head, lines.iter().filter_map(row).collect())
}

/// How far the bytes between the layers are off.
pub fn layers(lines: &[Line]) -> String {
    let row = |line: &Line| {
        let Line::Layers(layers) = line else { return None };
        let all = layers.layers.iter().fold(Histogram::default(), Histogram::and);
        let counts = [layers.images, layers.layers.len() as u64, all.count()].map(grouped);
        Some([vec![layers.model.clone(), layers.against.clone()], counts.into(), bins(&all)].concat())
    };
    let head = ["network", "runtime", "images", "layers", "bytes"];
    histogram_table(&head, lines.iter().filter_map(row).collect())
}

/// tract against ONNX Runtime.
pub fn float(lines: &[Line]) -> String {
    let row = |line: &Line| {
        let Line::Float(Float { model, images, largest }) = line else { return None };
        Some(vec![model.clone(), grouped(*images), format!("{largest:.1e}")])
    };
    markdown(&["network", "images", "largest difference"], 1, lines.iter().filter_map(row).collect())
}

/// Random networks.
pub fn networks(lines: &[Line]) -> String {
    let found = lines.iter().find_map(|line| if let Line::Networks(networks) = line { Some(networks) } else { None });
    let Some(networks) = found else { return String::new() };
    let [count, refused, layers, images] =
        [networks.networks, networks.refused, networks.layers, networks.images].map(grouped);
    let values = |name: &str, histogram: &Histogram| {
        [vec![name.to_string(), grouped(histogram.count())], bins(histogram)].concat()
    };
    let rows = vec![values("bytes between layers", &networks.activations), values("logits", &networks.logits)];
    format!(
        "{count} networks with {layers} layers on {images} images: 0 mismatches with the reference, compiled for speed, \
         flash and ram; 0 values in tract further off than rounding explains. {refused} more were refused by the \
         compiler.\n\n{}",
        histogram_table(&["tract", "values"], rows)
    )
}

fn histogram_table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let bins = BINS.map(|(_, name)| name);
    markdown(&[head, &bins[..], &["largest"]].concat(), 2, rows)
}

/// The cells of a histogram: how many values differ by so many steps, and the largest difference.
fn bins(histogram: &Histogram) -> Vec<String> {
    let ends = BINS[1..].iter().map(|(start, _)| *start).chain([usize::MAX]);
    let count = |(&(start, _), end): (&(usize, &str), usize)| {
        let counts = histogram.0.iter().take(end).skip(start);
        grouped(counts.sum())
    };
    let counts = BINS.iter().zip(ends).map(count);
    counts.chain([grouped(histogram.largest())]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_in_one_column() {
        let histogram = Histogram(vec![1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(bins(&histogram), ["1", "2", "3", "4", "26", "19", "9"]);
        assert_eq!(bins(&Histogram::default()), ["0", "0", "0", "0", "0", "0", "0"]);
    }

    #[test]
    fn a_model_that_does_not_fit_is_said_to() {
        let row = |against: &str, unfit: Option<&str>| {
            let (model, unfit) = ("m".to_string(), unfit.map(String::from));
            Line::Row(Row {
                model,
                against: against.into(),
                images: 10_000,
                mismatches: 0,
                largest: 3,
                unfit,
                runtime: None,
            })
        };
        let table = models(&[row("tract", None), row("microbit", Some("too large for the flash by 7 bytes"))]);
        assert!(
            table.contains("| 10,000 / 0 / 3 |") && table.contains("| too large for the flash by 7 bytes |"),
            "{table}"
        );
    }
}
