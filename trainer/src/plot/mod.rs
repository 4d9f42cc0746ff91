//! Pictures of trainings, each as PNG and SVG.

mod confusion;
mod curves;
mod gradients;
mod violins;

use std::path::{Path, PathBuf};
use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use crate::files;

pub use confusion::Confusion;
pub use curves::Curves;
pub use gradients::GradientNorms;
pub use violins::Violins;

const FONT: &str = "sans-serif";
const FIRST: RGBColor = RGBColor(31, 119, 180);
const SECOND: RGBColor = RGBColor(255, 127, 14);

/// A picture that could not be drawn or written.
#[derive(Debug, thiserror::Error)]
#[error("{file}: cannot be drawn: {fault}")]
pub struct PlotError {
    file: String,
    fault: String,
}

/// What plotters says.
pub type Fault = Box<dyn std::error::Error>;

/// Something that can be drawn.
pub trait Picture {
    /// Width and height in pixels.
    fn size(&self) -> (u32, u32);

    /// Draws it on an area of that size.
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<(), Fault>
    where
        B::ErrorType: 'static;

    /// Writes `DIR/STEM.png` and `DIR/STEM.svg`.
    fn save(&self, dir: &Path, stem: &str) -> Result<(), PlotError> {
        // Bitmaps need a font of our own: a bare machine has none.
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| {
            // The font is a valid one; were it not, drawing would say so.
            let _ = register_font(FONT, FontStyle::Normal, dejavu::sans::regular());
        });
        let write = |file: PathBuf, draw: &dyn Fn(&Path) -> Result<(), Fault>| {
            files::replace_with(&file, draw)
                .map_err(|fault| PlotError { file: file.display().to_string(), fault: fault.to_string() })
        };
        write(dir.join(format!("{stem}.png")), &|png| {
            self.on(&BitMapBackend::new(png, self.size()).into_drawing_area())
        })?;
        write(dir.join(format!("{stem}.svg")), &|svg| self.on(&SVGBackend::new(svg, self.size()).into_drawing_area()))
    }

    /// Draws it on white and hands it to the file.
    fn on<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<(), Fault>
    where
        B::ErrorType: 'static,
    {
        area.fill(&WHITE)?;
        self.draw(area)?;
        area.present()?;
        Ok(())
    }
}
