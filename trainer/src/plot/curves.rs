//! Loss and accuracy, training and validation, over the epochs.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::{FIRST, FONT, Fault, Picture, SECOND};
use crate::history::EpochRecord;

/// Two panels: loss and accuracy over the epochs.
pub struct Curves<'a> {
    /// What is shown.
    pub title: &'a str,
    /// One record an epoch.
    pub history: &'a [EpochRecord],
}

impl Picture for Curves<'_> {
    fn size(&self) -> (u32, u32) {
        (1000, 420)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<(), Fault>
    where
        B::ErrorType: 'static,
    {
        let Self { title, history } = self;
        let halves = area.split_evenly((1, 2));
        type Column = fn(&EpochRecord) -> f64;
        let panels: [(&str, Column, Column); 2] =
            [("loss", |r| r.loss, |r| r.val_loss), ("accuracy", |r| r.accuracy, |r| r.val_accuracy)];
        for (panel, (name, training, validation)) in halves.iter().zip(panels) {
            let values = || history.iter().flat_map(|r| [training(r), validation(r)]);
            let low = values().fold(f64::INFINITY, f64::min);
            let high = values().fold(f64::NEG_INFINITY, f64::max);
            let margin = ((high - low) * 0.05).max(1e-6);
            let mut chart = ChartBuilder::on(panel)
                .caption(format!("{title}: {name}"), (FONT, 20))
                .margin(12)
                .x_label_area_size(36)
                .y_label_area_size(58)
                .build_cartesian_2d(1.0..(history.len().max(2) as f64), low - margin..high + margin)?;
            chart
                .configure_mesh()
                .x_desc("epoch")
                .x_label_formatter(&|epoch| format!("{epoch:.0}"))
                .x_labels(history.len().clamp(2, 12))
                .light_line_style(WHITE)
                .label_style((FONT, 14))
                .draw()?;
            for (label, column, color) in [("training", training, FIRST), ("validation", validation, SECOND)] {
                let points = || history.iter().map(|r| (r.epoch as f64, column(r)));
                chart
                    .draw_series(LineSeries::new(points(), color.stroke_width(2)))?
                    .label(label)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
                chart.draw_series(points().map(|point| Circle::new(point, 2, color.filled())))?;
            }
            chart.configure_series_labels().label_font((FONT, 14)).background_style(WHITE.mix(0.8)).draw()?;
        }
        Ok(())
    }
}
