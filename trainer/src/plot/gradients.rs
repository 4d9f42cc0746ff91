//! The gradient of every layer over the first steps of a training.

use networks::Activation;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::{FONT, Fault, Picture};
use crate::gradients::{NETWORKS, Row, median, of};
use crate::written::written;

/// A row of panels for each activation, a panel for each network: norm of the gradient by step, a line for each layer,
/// the median of all seeds.
pub struct GradientNorms<'a> {
    /// All steps of all trainings.
    pub rows: &'a [Row],
}

/// One layer of one network: `(step, norm)`.
struct Line {
    layer: String,
    points: Vec<(f64, f64)>,
}

impl Picture for GradientNorms<'_> {
    fn size(&self) -> (u32, u32) {
        (1200, 700)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<(), Fault>
    where
        B::ErrorType: 'static,
    {
        let norms = || self.rows.iter().flat_map(|row| &row.norms).map(|(_, norm)| *norm).filter(|norm| *norm > 0.0);
        let (low, high) = (norms().fold(f64::INFINITY, f64::min), norms().fold(0.0, f64::max));
        let steps = self.rows.iter().map(|row| row.step).max().unwrap_or(1);
        let panels = area.split_evenly((2, NETWORKS.len()));
        let shown = [Activation::Relu, Activation::Sigmoid].map(|activation| NETWORKS.map(|name| (name, activation)));
        for (panel, (network, activation)) in panels.iter().zip(shown.into_iter().flatten()) {
            let lines = self.lines(network, activation);
            let name = network.trim_end_matches("_sigmoid");
            let mut chart = ChartBuilder::on(panel)
                .caption(format!("{name}, {}", written(&activation)), (FONT, 18))
                .margin(8)
                .x_label_area_size(34)
                .y_label_area_size(62)
                // The labels stand to the right of the lines.
                .build_cartesian_2d(1.0..1.4 * steps.max(2) as f64, (low..high).log_scale())?;
            chart
                .configure_mesh()
                .x_desc("step")
                .y_desc("norm of the gradient")
                .x_label_formatter(&|step| format!("{step:.0}"))
                .y_label_formatter(&|norm| format!("{norm:.0e}"))
                .light_line_style(WHITE)
                .label_style((FONT, 13))
                .draw()?;
            let last = lines.len().saturating_sub(1).max(1) as f64;
            for (depth, Line { layer, points }) in lines.into_iter().enumerate() {
                // From blue at the input to orange at the output.
                let color = HSLColor(0.6 - 0.52 * depth as f64 / last, 0.75, 0.45);
                chart
                    .draw_series(LineSeries::new(points, color.stroke_width(2)))?
                    .label(layer)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], color.stroke_width(2)));
            }
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::LowerRight)
                .label_font((FONT, 12))
                .background_style(WHITE.mix(0.8))
                .draw()?;
        }
        Ok(())
    }
}

impl GradientNorms<'_> {
    fn lines(&self, network: &str, activation: Activation) -> Vec<Line> {
        let rows = of(self.rows, network, activation);
        let layers = rows.first().map_or(&[][..], |row| &row.norms[..]);
        let steps = rows.iter().map(|row| row.step).max().unwrap_or(0);
        let point = |layer: usize, step: usize| {
            let norms = rows.iter().filter(|row| row.step == step).filter_map(|row| row.norms.get(layer));
            (step as f64, median(norms.map(|(_, norm)| *norm).collect()))
        };
        let line = |(index, (layer, _)): (usize, &(String, f64))| Line {
            layer: layer.clone(),
            points: (1..=steps).map(|step| point(index, step)).collect(),
        };
        layers.iter().enumerate().map(line).collect()
    }
}
