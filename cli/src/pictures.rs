//! Pictures of an evaluation, drawn without any font of the system.

use std::io::Cursor;

use dataset::Dataset;
use image::{ImageFormat, Rgb, RgbImage};
use thumbnet_compiler::Evaluation;

const WHITE: Rgb<u8> = Rgb([255; 3]);
const BLACK: Rgb<u8> = Rgb([0; 3]);
const GREY: Rgb<u8> = Rgb([120; 3]);
const GREEN: Rgb<u8> = Rgb([0, 120, 60]);
const RED: Rgb<u8> = Rgb([190, 30, 30]);

/// The digits as rows of three pixels, the left one the highest bit.
const GLYPHS: [[u8; 5]; 10] = [
    [7, 5, 5, 5, 7],
    [2, 6, 2, 2, 7],
    [7, 1, 7, 4, 7],
    [7, 1, 3, 1, 7],
    [5, 5, 7, 1, 1],
    [7, 4, 7, 1, 7],
    [7, 4, 7, 5, 7],
    [7, 1, 2, 2, 2],
    [7, 5, 7, 5, 7],
    [7, 5, 7, 1, 7],
];
const GLYPH_WIDTH: u32 = 3;
const GLYPH_HEIGHT: u32 = 5;

/// Labels down, classes across, counts in the cells, mistakes the redder the more there are. PNG.
pub fn confusion(evaluation: &Evaluation) -> anyhow::Result<Vec<u8>> {
    const CELL: u32 = 44;
    const MARGIN: u32 = 30;
    let classes = evaluation.confusion.len() as u32;
    let mut picture = RgbImage::from_pixel(MARGIN + classes * CELL + 1, MARGIN + classes * CELL + 1, WHITE);
    let off_diagonal = |row: usize, column: usize, count: usize| if row == column { 0 } else { count };
    let cells = || {
        let rows = evaluation.confusion.iter().enumerate();
        rows.flat_map(|(row, counts)| counts.iter().enumerate().map(move |(column, &count)| (row, column, count)))
    };
    let most = cells().map(|(row, column, count)| off_diagonal(row, column, count)).max().unwrap_or(0).max(1);
    for (row, column, count) in cells() {
        let total: usize = evaluation.confusion[row].iter().sum();
        let color = if row == column {
            mix([200, 235, 210], count as f32 / total.max(1) as f32)
        } else {
            mix([235, 90, 80], count as f32 / most as f32)
        };
        let (x, y) = (MARGIN + column as u32 * CELL, MARGIN + row as u32 * CELL);
        fill(&mut picture, x + 1, y + 1, CELL - 1, CELL - 1, color);
        if count > 0 {
            number(&mut picture, x + CELL / 2, y + CELL / 2, 2, count, BLACK);
        }
    }
    for class in 0..classes {
        let middle = MARGIN + class * CELL + CELL / 2;
        number(&mut picture, MARGIN / 2, middle, 3, class as usize, GREEN);
        number(&mut picture, middle, MARGIN / 2, 3, class as usize, GREY);
    }
    png(&picture)
}

/// The images classified wrongly, below each what it is (green) and what it was taken for (red). PNG.
pub fn misclassified(evaluation: &Evaluation, images: &Dataset) -> anyhow::Result<Vec<u8>> {
    const ZOOM: u32 = 2;
    const COLUMNS: u32 = 16;
    const MOST: usize = 256;
    const LABEL: u32 = 22;
    const GAP: u32 = 8;
    let shown = &evaluation.mistakes[..evaluation.mistakes.len().min(MOST)];
    let (width, height) = (images.width() as u32 * ZOOM, images.height() as u32 * ZOOM);
    let rows = (shown.len() as u32).div_ceil(COLUMNS).max(1);
    let (step_x, step_y) = (width + GAP, height + LABEL + GAP);
    let mut picture = RgbImage::from_pixel(GAP + COLUMNS * step_x, GAP + rows * step_y, WHITE);
    for (index, mistake) in shown.iter().enumerate() {
        let x = GAP + index as u32 % COLUMNS * step_x;
        let y = GAP + index as u32 / COLUMNS * step_y;
        for (pixel, &value) in images.image(mistake.image).iter().enumerate() {
            let (column, row) = ((pixel % images.width()) as u32, (pixel / images.width()) as u32);
            fill(&mut picture, x + column * ZOOM, y + row * ZOOM, ZOOM, ZOOM, Rgb([255 - value; 3]));
        }
        let baseline = y + height + LABEL / 2;
        number(&mut picture, x + width / 4, baseline, 3, mistake.label, GREEN);
        number(&mut picture, x + width * 3 / 4, baseline, 3, mistake.taken_for, RED);
    }
    png(&picture)
}

/// White at 0.0, the color at 1.0.
fn mix(color: [u8; 3], part: f32) -> Rgb<u8> {
    let part = part.clamp(0.0, 1.0).sqrt();
    Rgb(color.map(|channel| (255.0 - (255.0 - f32::from(channel)) * part) as u8))
}

/// A number centered on a point.
fn number(picture: &mut RgbImage, x: u32, y: u32, zoom: u32, value: usize, color: Rgb<u8>) {
    let text = value.to_string();
    let advance = (GLYPH_WIDTH + 1) * zoom;
    let left = x.saturating_sub((advance * text.len() as u32 - zoom) / 2);
    let top = y.saturating_sub(GLYPH_HEIGHT * zoom / 2);
    for (position, digit) in text.bytes().enumerate() {
        let glyph = GLYPHS[usize::from(digit - b'0')];
        for (row, bits) in glyph.into_iter().enumerate() {
            for column in (0..GLYPH_WIDTH).filter(|column| bits >> (GLYPH_WIDTH - 1 - column) & 1 == 1) {
                let left = left + position as u32 * advance + column * zoom;
                fill(picture, left, top + row as u32 * zoom, zoom, zoom, color);
            }
        }
    }
}

fn fill(picture: &mut RgbImage, left: u32, top: u32, width: u32, height: u32, color: Rgb<u8>) {
    for y in top..(top + height).min(picture.height()) {
        for x in left..(left + width).min(picture.width()) {
            picture.put_pixel(x, y, color);
        }
    }
}

fn png(picture: &RgbImage) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}
