//! The notebook's finding, tested: do deep sigmoid networks fail, and for the reason given?

use std::fmt::Write as _;

use networks::Activation;

use super::Entry;
use super::markdown::{markdown, percent};
use crate::card::Card;
use crate::gradients::{NETWORKS, Row, median, of};
use crate::written::written;

/// An answer that ignores the image: the share of the commonest digit, 1, among the test images.
const CHANCE: f64 = 0.1135;

/// The networks that were trained with several seeds.
pub fn seeds(entries: &[Entry]) -> String {
    let mut rows = Vec::new();
    for Entry { spec, card, others, .. } in entries.iter().filter(|entry| entry.spec.seeds.len() > 1) {
        for card in card.iter().chain(others) {
            let Card { run, last_epoch, test_loss, test_accuracy, .. } = card;
            rows.push(vec![
                spec.name.clone(),
                run.seed.to_string(),
                format!("{:.4}", last_epoch.loss),
                percent(Some(last_epoch.accuracy)),
                format!("{test_loss:.4}"),
                percent(Some(*test_accuracy)),
                percent(spec.notebook.map(|notebook| notebook.test_accuracy)),
            ]);
        }
    }
    let mut text = "## The deep sigmoid networks\n\n".to_string();
    let _ = writeln!(
        text,
        "In the notebook the sigmoid networks of 5 and 7 convolutions end at {}, which is the share of the digit 1 among the test \
         images: they give one answer to everything. Ours, with several seeds:\n",
        percent(Some(CHANCE))
    );
    if rows.is_empty() {
        text.push_str("Not trained yet.\n\n");
        return text;
    }
    let failed = rows.len() - learned(entries);
    let numbers = ["seed", "training loss", "training accuracy", "test loss", "test accuracy", "notebook"];
    let _ = writeln!(text, "{}\n", markdown(&["network"], &numbers, rows));
    let _ = writeln!(text, "{failed} of these {} trainings end below twice that share.\n", failed + learned(entries));
    text
}

/// Trainings with several seeds whose result is clearly above chance.
fn learned(entries: &[Entry]) -> usize {
    let several = entries.iter().filter(|entry| entry.spec.seeds.len() > 1);
    let cards = several.flat_map(|entry| entry.card.iter().chain(&entry.others));
    cards.filter(|card| card.test_accuracy > 2.0 * CHANCE).count()
}

/// What the gradients do in the first steps.
pub fn gradients(rows: &[Row]) -> String {
    let mut text = "## Do the gradients vanish?\n\n".to_string();
    if rows.is_empty() {
        text.push_str("Not measured yet: `cargo run --release -p trainer -- gradients` does.\n\n");
        return text;
    }
    let steps = rows.iter().map(|row| row.step).max().unwrap_or(0);
    let mut seeds: Vec<u64> = rows.iter().map(|row| row.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let _ = writeln!(
        text,
        "The notebook's explanation is that a sigmoid's gradient shrinks on its way back through the layers. To test it, the three \
         sigmoid networks with 3 x 3 kernels were each trained for {steps} steps, once as they are and once with ReLU in the \
         sigmoid's place: the same weights, images, dropout and optimizer. Medians over all steps and the seeds {seeds:?}; the norm \
         is that of the gradient of a layer's kernel; loss is the mean of the last 10 steps, {:.3} being what a guess gets.\n",
        10f64.ln()
    );
    let mut cells = Vec::new();
    for network in NETWORKS {
        for activation in [Activation::Relu, Activation::Sigmoid] {
            let Measured { first, last, ratio, loss } = Measured::of(&of(rows, network, activation), steps);
            cells.push(vec![
                network.trim_end_matches("_sigmoid").to_string(),
                written(&activation),
                format!("{first:.4}"),
                format!("{last:.4}"),
                format!("{ratio:.3}"),
                format!("{loss:.3}"),
            ]);
        }
    }
    let numbers = ["first convolution", "last convolution", "first / last", "loss"];
    let _ = writeln!(text, "{}\n", markdown(&["network", "activation"], &numbers, cells));
    let _ = writeln!(text, "{}\n", verdict(rows, steps));
    text.push_str("[![norm of every layer's gradient](gradients.png)](gradients.svg)\n\n");
    text
}

/// What is said of one network with one activation.
struct Measured {
    first: f64,
    last: f64,
    ratio: f64,
    loss: f64,
}

impl Measured {
    fn of(rows: &[&Row], steps: usize) -> Self {
        let ends = || rows.iter().filter_map(|row| convolutions(row));
        let late = rows.iter().filter(|row| row.step + 10 > steps).map(|row| row.loss);
        Self {
            first: median(ends().map(|(first, _)| first).collect()),
            last: median(ends().map(|(_, last)| last).collect()),
            ratio: median(ends().map(|(first, last)| first / last).collect()),
            loss: late.clone().sum::<f64>() / late.count() as f64,
        }
    }
}

/// Norms of the first and of the last convolution.
fn convolutions(row: &Row) -> Option<(f64, f64)> {
    let mut norms = row.norms.iter().filter(|(layer, _)| layer.starts_with("conv")).map(|(_, norm)| *norm);
    let first = norms.next()?;
    Some((first, norms.next_back()?))
}

/// Whether the measurement bears the explanation out: the first layer's share falls with depth, and with sigmoid further
/// than with ReLU.
fn verdict(rows: &[Row], steps: usize) -> String {
    let ratios = |activation| NETWORKS.map(|network| Measured::of(&of(rows, network, activation), steps).ratio);
    let (relu, sigmoid) = (ratios(Activation::Relu), ratios(Activation::Sigmoid));
    let vanish = |ratios: [f64; 3]| ratios[0] > ratios[1] && ratios[1] > ratios[2] && ratios[2] < 0.1;
    let list = |ratios: [f64; 3]| ratios.map(|ratio| format!("{ratio:.3}")).join(", ");
    let measured = format!(
        "From 3 to 5 to 7 convolutions the first one's gradient is {} of the last one's with ReLU and {} with sigmoid.",
        list(relu),
        list(sigmoid)
    );
    let conclusion = match (vanish(sigmoid), vanish(relu)) {
        (true, false) => "It vanishes with depth with sigmoid and not with ReLU: the explanation holds here.",
        (true, true) => "It vanishes with depth with both, so that alone does not tell the two apart.",
        (false, _) => {
            "With sigmoid it does not vanish (that would be a share that falls with depth to below 0.1): the explanation does not \
             hold here."
        }
    };
    format!("{measured} {conclusion}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every network with both activations: the first convolution's gradient is `ratio(depth)` of the last one's with sigmoid.
    fn report(ratio: fn(usize) -> f64) -> String {
        let row = |(index, network): (usize, &str), activation| {
            let first = if activation == Activation::Sigmoid { ratio(3 + 2 * index) } else { 0.9 };
            let norms = [("conv 1", first), ("conv 2", 0.5), ("conv 3", 1.0), ("dense", 7.0)];
            let norms = norms.map(|(layer, norm)| (layer.to_string(), norm)).to_vec();
            Row { network: network.to_string(), activation, seed: 1, step: 1, loss: 2.0, norms }
        };
        let networks = || NETWORKS.into_iter().enumerate();
        let both = [Activation::Relu, Activation::Sigmoid];
        gradients(&both.into_iter().flat_map(|a| networks().map(move |n| row(n, a))).collect::<Vec<_>>())
    }

    #[test]
    fn the_verdict_follows_the_measurement() {
        let vanishing = report(|depth| 0.5f64.powi(depth as i32));
        assert!(
            vanishing.contains("0.125, 0.031, 0.008 with sigmoid") && vanishing.contains("the explanation holds here")
        );
        let steady = report(|_| 0.8);
        assert!(steady.contains("0.800, 0.800, 0.800 with sigmoid") && steady.contains("does not hold here"));
    }
}
