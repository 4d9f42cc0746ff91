//! How the weights of every layer are distributed.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{FIRST, FONT, Fault, Picture, SECOND};
use crate::density::Density;
use crate::weights::Kernel;

/// Room between neighbours, as a share of the distance between their middles.
const GAP: f64 = 0.12;

/// One violin a layer: as wide as its weights are dense, all equally wide at their densest; quartiles as a bar and a dot.
pub struct Violins<'a> {
    /// What is shown.
    pub title: &'a str,
    /// The layers' weights.
    pub kernels: &'a [Kernel],
}

impl Picture for Violins<'_> {
    fn size(&self) -> (u32, u32) {
        (160 + 110 * self.kernels.len() as u32, 420)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Result<(), Fault>
    where
        B::ErrorType: 'static,
    {
        let Self { title, .. } = self;
        let violins: Vec<_> =
            self.kernels.iter().filter_map(|kernel| Some((kernel, Density::of(&kernel.values)?))).collect();
        let ends = || violins.iter().flat_map(|(_, violin)| [violin.low(), violin.high()]);
        let (low, high) = (ends().fold(f64::INFINITY, f64::min), ends().fold(f64::NEG_INFINITY, f64::max));
        let layers = -0.5..violins.len() as f64 - 0.5;
        let mut chart = ChartBuilder::on(area)
            .caption(format!("{title}: weights"), (FONT, 20))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(58)
            .build_cartesian_2d(layers, low..high)?;
        chart.configure_mesh().disable_x_mesh().x_labels(0).light_line_style(WHITE).label_style((FONT, 14)).draw()?;
        let under = (FONT, 14).into_text_style(area).pos(Pos::new(HPos::Center, VPos::Top));
        for (layer, (kernel, violin)) in violins.iter().enumerate() {
            let middle = layer as f64;
            let (x, y) = chart.backend_coord(&(middle, low));
            area.draw(&Text::new(kernel.layer.clone(), (x, y + 8), under.clone()))?;
            let wide = (0.5 - GAP) / violin.highest();
            let right = violin.curve().map(|(value, density)| (middle + density * wide, value));
            let left = violin.curve().map(|(value, density)| (middle - density * wide, value));
            let mut outline: Vec<(f64, f64)> = left.collect();
            outline.reverse();
            let outline: Vec<(f64, f64)> = right.chain(outline).collect();
            chart.draw_series([Polygon::new(outline.clone(), FIRST.mix(0.5).filled())])?;
            chart.draw_series([PathElement::new(outline, FIRST.stroke_width(1))])?;
            let [first, median, third] = violin.quartiles();
            chart.draw_series([PathElement::new([(middle, first), (middle, third)], SECOND.stroke_width(3))])?;
            chart.draw_series([Circle::new((middle, median), 3, SECOND.filled())])?;
        }
        Ok(())
    }
}
