//! Tables for people.

use comfy_table::{CellAlignment, Table, TableStyle, presets};

/// A table for the terminal: the first `text` columns to the left, numbers to the right.
pub fn terminal(head: &[&str], text: usize, rows: Vec<Vec<String>>) -> String {
    build(presets::UTF8_BORDERS_ONLY, head, text, rows)
}

/// The same as Markdown.
pub fn markdown(head: &[&str], text: usize, rows: Vec<Vec<String>>) -> String {
    build(presets::ASCII_MARKDOWN, head, text, rows)
}

fn build(style: TableStyle, head: &[&str], text: usize, rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(style).set_header(head.iter()).add_rows(rows);
    for column in table.column_iter_mut().skip(text) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// A number with its digits in groups of three: 12,345.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn groups_of_three() {
        let texts = [0, 999, 1000, 1234567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }
}
