//! The confusion matrix.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{FIRST, FONT, Fault, Picture, SECOND};
use crate::spec::CLASSES;

/// Test images of every class by the digit answered.
pub struct Confusion<'a> {
    /// What is shown.
    pub title: &'a str,
    /// `[class][digit answered]`: images.
    pub matrix: &'a [[usize; CLASSES]; CLASSES],
}

impl Picture for Confusion<'_> {
    fn size(&self) -> (u32, u32) {
        (560, 560)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<(), Fault>
    where
        B::ErrorType: 'static,
    {
        let Self { title, matrix } = self;
        let mut chart = ChartBuilder::on(area)
            .caption(format!("{title}: test images"), (FONT, 20))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(44)
            // Rows count from the bottom; the first digit is drawn on top, as in a table.
            .build_cartesian_2d((0..CLASSES as i32 - 1).into_segmented(), (0..CLASSES as i32 - 1).into_segmented())?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_desc("answered")
            .y_desc("digit")
            .y_label_formatter(&|row| match row {
                SegmentValue::CenterOf(row) => (CLASSES as i32 - 1 - row).to_string(),
                _ => String::new(),
            })
            .label_style((FONT, 14))
            .draw()?;
        let worst = (0..CLASSES).flat_map(|i| (0..CLASSES).filter(move |&j| j != i).map(move |j| matrix[i][j])).max();
        for (digit, row) in matrix.iter().enumerate() {
            for (answer, &count) in row.iter().enumerate() {
                let share = match digit == answer {
                    true => count as f64 / row.iter().sum::<usize>().max(1) as f64,
                    false => count as f64 / worst.unwrap_or(0).max(1) as f64,
                };
                let color = if digit == answer { FIRST } else { SECOND };
                let (x, y) = (answer as i32, (CLASSES - 1 - digit) as i32);
                let corners = [
                    (SegmentValue::Exact(x), SegmentValue::Exact(y)),
                    (SegmentValue::Exact(x + 1), SegmentValue::Exact(y + 1)),
                ];
                chart.draw_series([Rectangle::new(corners, color.mix(0.15 + 0.6 * share).filled())])?;
                let middle = (SegmentValue::CenterOf(x), SegmentValue::CenterOf(y));
                let style = (FONT, 14).into_text_style(area).pos(Pos::new(HPos::Center, VPos::Center));
                if count > 0 {
                    chart.draw_series([Text::new(count.to_string(), middle, style)])?;
                }
            }
        }
        Ok(())
    }
}
