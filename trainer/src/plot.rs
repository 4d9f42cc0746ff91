//! Pictures beside a model, each as PNG and SVG: learning curves and the confusion matrix.

use std::path::Path;
use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use crate::history::EpochRecord;
use crate::spec::CLASSES;

const FONT: &str = "sans-serif";
const CURVES_SIZE: (u32, u32) = (1000, 420);
const CONFUSION_SIZE: (u32, u32) = (560, 560);
const TRAINING: RGBColor = RGBColor(31, 119, 180);
const VALIDATION: RGBColor = RGBColor(255, 127, 14);

/// A picture that could not be drawn or written.
#[derive(Debug, thiserror::Error)]
#[error("{file}: cannot be drawn: {fault}")]
pub struct PlotError {
    file: String,
    fault: String,
}

type Fault = Box<dyn std::error::Error>;

/// `curves.png` and `curves.svg`: loss and accuracy, training and validation, over the epochs.
pub fn curves(history: &[EpochRecord], title: &str, out: &Path) -> Result<(), PlotError> {
    both(
        out,
        "curves",
        CURVES_SIZE,
        |picture| draw_curves(history, title, picture),
        |picture| draw_curves(history, title, picture),
    )
}

/// `confusion.png` and `confusion.svg`: images of every class by the digit answered.
pub fn confusion(matrix: &[[usize; CLASSES]; CLASSES], title: &str, out: &Path) -> Result<(), PlotError> {
    both(
        out,
        "confusion",
        CONFUSION_SIZE,
        |picture| draw_confusion(matrix, title, picture),
        |picture| draw_confusion(matrix, title, picture),
    )
}

/// Draws the same picture with both of plotters' backends.
fn both(
    out: &Path,
    stem: &str,
    size: (u32, u32),
    png: impl FnOnce(DrawingArea<BitMapBackend, Shift>) -> Result<(), Fault>,
    svg: impl FnOnce(DrawingArea<SVGBackend, Shift>) -> Result<(), Fault>,
) -> Result<(), PlotError> {
    // Bitmaps need a font of our own: a bare machine has none.
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // The font is a valid one; were it not, drawing would say so.
        let _ = register_font(FONT, FontStyle::Normal, dejavu::sans::regular());
    });
    let failed = |file: &Path, fault: Fault| PlotError { file: file.display().to_string(), fault: fault.to_string() };
    let file = out.join(format!("{stem}.png"));
    png(BitMapBackend::new(&file, size).into_drawing_area()).map_err(|fault| failed(&file, fault))?;
    let file = out.join(format!("{stem}.svg"));
    svg(SVGBackend::new(&file, size).into_drawing_area()).map_err(|fault| failed(&file, fault))
}

fn draw_curves<B: DrawingBackend>(
    history: &[EpochRecord],
    title: &str,
    picture: DrawingArea<B, Shift>,
) -> Result<(), Fault>
where
    B::ErrorType: 'static,
{
    picture.fill(&WHITE)?;
    let halves = picture.split_evenly((1, 2));
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
        for (label, column, color) in [("training", training, TRAINING), ("validation", validation, VALIDATION)] {
            let points = || history.iter().map(|r| (r.epoch as f64, column(r)));
            chart
                .draw_series(LineSeries::new(points(), color.stroke_width(2)))?
                .label(label)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
            chart.draw_series(points().map(|point| Circle::new(point, 2, color.filled())))?;
        }
        chart.configure_series_labels().label_font((FONT, 14)).background_style(WHITE.mix(0.8)).draw()?;
    }
    picture.present()?;
    Ok(())
}

fn draw_confusion<B: DrawingBackend>(
    matrix: &[[usize; CLASSES]; CLASSES],
    title: &str,
    picture: DrawingArea<B, Shift>,
) -> Result<(), Fault>
where
    B::ErrorType: 'static,
{
    picture.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&picture)
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
            let color = if digit == answer { TRAINING } else { VALIDATION };
            let (x, y) = (answer as i32, (CLASSES - 1 - digit) as i32);
            let corners = [
                (SegmentValue::Exact(x), SegmentValue::Exact(y)),
                (SegmentValue::Exact(x + 1), SegmentValue::Exact(y + 1)),
            ];
            chart.draw_series([Rectangle::new(corners, color.mix(0.15 + 0.6 * share).filled())])?;
            let middle = (SegmentValue::CenterOf(x), SegmentValue::CenterOf(y));
            let style = (FONT, 14).into_text_style(&picture).pos(plotters::style::text_anchor::Pos::new(
                plotters::style::text_anchor::HPos::Center,
                plotters::style::text_anchor::VPos::Center,
            ));
            if count > 0 {
                chart.draw_series([Text::new(count.to_string(), middle, style)])?;
            }
        }
    }
    picture.present()?;
    Ok(())
}
