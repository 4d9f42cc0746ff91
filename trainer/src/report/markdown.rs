//! The report's table and pictures.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use super::Entry;
use crate::card::Card;
use crate::layers::{rows, totals};
use crate::written::written;

/// What stands before the table.
pub fn head() -> String {
    "# The notebook's networks, trained again

Thirteen convolutional networks for MNIST, from a Keras notebook: every one built as there (layers, initial weights, dropout,
optimizer and its constants, batches of 128) and trained again from fresh weights for 12 epochs on the 60,000 training images. As in
the notebook, the 10,000 test images serve as validation images, so nothing was chosen by them and the last epoch counts.

`cargo run --release -p trainer -- report` writes this page from the files beside it.

## Accuracy on the 10,000 test images

*Notebook* is what its own run of each network reports after the last epoch. The table printed at the notebook's end disagrees with
these runs; it is not used. *Ours* is the float network, *int8* the network as it runs on a board. Differences are in points of
a hundred.

"
    .to_string()
}

/// All networks, trained or not.
pub fn table(entries: &[Entry]) -> String {
    let text = ["network", "activation", "initializer", "optimizer"];
    let numbers =
        ["layers", "kernel", "parameters", "epochs", "notebook", "ours", "ours - notebook", "int8", "int8 - ours"];
    let cells = entries.iter().map(|entry| {
        let Entry { spec, card, int8, .. } = entry;
        let optimizers: Vec<String> = spec.optimizer.iter().map(written).collect();
        let params = rows(spec).map_or(0, |rows| totals(&rows).params);
        let notebook = spec.notebook.map(|notebook| notebook.test_accuracy);
        let ours = card.as_ref().map(|card| card.test_accuracy);
        let int8 = int8.as_ref().map(|int8| int8.accuracy);
        let waiting = if card.is_some() { "" } else { "not trained yet" };
        vec![
            spec.name.clone(),
            written(&spec.activation),
            written(&spec.init),
            optimizers.join(", "),
            spec.blocks.len().to_string(),
            spec.kernel.map_or(String::new(), |kernel| kernel.to_string()),
            params.to_string(),
            card.as_ref().map_or(String::new(), epochs),
            percent(notebook),
            ours.map_or(waiting.to_string(), |ours| percent(Some(ours))),
            points(ours, notebook),
            percent(int8),
            points(int8, ours),
        ]
    });
    format!("{}\n\n{}", markdown(&text, &numbers, cells.collect()), remarks(entries))
}

/// What differs from the table's head.
fn remarks(entries: &[Entry]) -> String {
    let mut text = String::new();
    for (spec, card) in entries.iter().filter_map(|entry| Some((&entry.spec, entry.card.as_ref()?))) {
        if card.run.epochs != spec.epochs || card.test_images != 10_000 || card.run.train_images != 60_000 {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "`{}` was trained for {} epochs on {} images and measured on {}.\n",
                spec.name,
                epochs(card),
                card.run.train_images,
                card.test_images
            );
        }
    }
    text
}

/// Every network's pictures.
pub fn pictures(entries: &[Entry]) -> String {
    let mut text =
        "## Training\n\nPictures link to their SVG. Weights: as wide as they are dense, the bar from the first to the \
                    third quartile, the dot at the median.\n"
            .to_string();
    for Entry { spec, card, pictures, .. } in entries {
        let _ = write!(text, "\n### {}\n\n", spec.name);
        let Some(card) = card else {
            text.push_str("Not trained yet.\n");
            continue;
        };
        let Card { last_epoch, test_loss, test_accuracy, .. } = card;
        let _ = writeln!(
            text,
            "Seed {}, {} epochs on {}, {:.0} minutes. Last epoch: training loss {:.4}, accuracy {:.2} % (with dropout); \
             test loss {test_loss:.4}, accuracy {:.2} %.\n",
            card.run.seed,
            epochs(card),
            written(&card.run.backend),
            card.seconds / 60.0,
            last_epoch.loss,
            100.0 * last_epoch.accuracy,
            100.0 * test_accuracy
        );
        for (stem, shows) in pictures {
            let name = &spec.name;
            let _ = writeln!(text, "[![{name}: {shows}]({name}/{stem}.png)]({name}/{stem}.svg)");
        }
    }
    text
}

/// A table of which the first columns are `text` and the others `numbers`.
pub fn markdown(text: &[&str], numbers: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(text.iter().chain(numbers)).add_rows(rows);
    for column in table.column_iter_mut().skip(text.len()) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// `12`, or `12 + 12` where there were two optimizers.
fn epochs(card: &Card) -> String {
    vec![card.run.epochs.to_string(); card.run.optimizers.len()].join(" + ")
}

/// A share as per cent.
pub fn percent(share: Option<f64>) -> String {
    share.map_or(String::new(), |share| format!("{:.2} %", 100.0 * share))
}

/// The difference of two shares in points of a hundred.
fn points(share: Option<f64>, other: Option<f64>) -> String {
    share.zip(other).map_or(String::new(), |(share, other)| format!("{:+.2}", 100.0 * (share - other)))
}
