//! The confusion matrix.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{FIRST, FONT, Fault, Picture, SECOND};

/// Test images of every class by the class answered.
pub struct Confusion<'a> {
    /// What is shown.
    pub title: &'a str,
    /// `[class][class answered]`: images.
    pub matrix: &'a [Vec<usize>],
}

impl Confusion<'_> {
    /// Pixels of a cell, and of what is written in it: as large as a screen allows.
    fn cell(&self) -> (u32, u32) {
        if self.matrix.len() <= 12 { (48, 14) } else { (24, 9) }
    }
}

impl Picture for Confusion<'_> {
    fn size(&self) -> (u32, u32) {
        let side = 80 + self.cell().0 * self.matrix.len() as u32;
        (side, side)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<(), Fault>
    where
        B::ErrorType: 'static,
    {
        let Self { title, matrix } = self;
        let (classes, (_, letters)) = (matrix.len(), self.cell());
        let axis = || (0..classes as i32 - 1).into_segmented();
        let mut chart = ChartBuilder::on(area)
            .caption(format!("{title}: test images"), (FONT, 20))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(44)
            // Rows count from the bottom; the first class is drawn on top, as in a table.
            .build_cartesian_2d(axis(), axis())?;
        chart
            .configure_mesh()
            .disable_mesh()
            .x_labels(classes)
            .y_labels(classes)
            .x_desc("answered")
            .y_desc("class")
            .y_label_formatter(&|row| match row {
                SegmentValue::CenterOf(row) => (classes as i32 - 1 - row).to_string(),
                _ => String::new(),
            })
            .label_style((FONT, letters))
            .draw()?;
        let mistakes = |(class, row): (usize, &Vec<usize>)| {
            row.iter().enumerate().filter(|(i, _)| *i != class).map(|(_, &n)| n).max()
        };
        let worst = matrix.iter().enumerate().filter_map(mistakes).max();
        for (class, row) in matrix.iter().enumerate() {
            for (answer, &count) in row.iter().enumerate() {
                let share = match class == answer {
                    true => count as f64 / row.iter().sum::<usize>().max(1) as f64,
                    false => count as f64 / worst.unwrap_or(0).max(1) as f64,
                };
                let color = if class == answer { FIRST } else { SECOND };
                let (x, y) = (answer as i32, (classes - 1 - class) as i32);
                let corners = [
                    (SegmentValue::Exact(x), SegmentValue::Exact(y)),
                    (SegmentValue::Exact(x + 1), SegmentValue::Exact(y + 1)),
                ];
                chart.draw_series([Rectangle::new(corners, color.mix(0.15 + 0.6 * share).filled())])?;
                let middle = (SegmentValue::CenterOf(x), SegmentValue::CenterOf(y));
                let style = (FONT, letters).into_text_style(area).pos(Pos::new(HPos::Center, VPos::Center));
                if count > 0 {
                    chart.draw_series([Text::new(count.to_string(), middle, style)])?;
                }
            }
        }
        Ok(())
    }
}
