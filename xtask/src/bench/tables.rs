//! The tables that committed rows become.

use super::cmsis_nn::{CMSIS_NN, LAYERS_BOARD};
use super::row::Row;
use crate::table::{grouped, markdown};

const GOALS: [&str; 3] = ["speed", "flash", "ram"];
const NONE: &str = "–";

/// Instructions on every board, with CMSIS-NN's where they were measured.
pub fn instructions(rows: &[Row]) -> String {
    let boards = distinct(rows, |row| &row.board);
    boards.into_iter().map(|board| of_board(board, &select(rows, |row| row.board == board))).collect()
}

fn of_board(board: &str, rows: &[&Row]) -> String {
    let models = distinct(rows.iter().copied(), |row| &row.model);
    let compared = models.iter().any(|model| CMSIS_NN.of(board, model).is_some());
    let mut lines: Vec<Vec<String>> = Vec::new();
    for &model in &models {
        let theirs = CMSIS_NN.of(board, model);
        let mut line = vec![model.to_string()];
        if compared {
            line.push(theirs.map_or(NONE.into(), grouped));
        }
        for row in GOALS.map(|goal| find(rows, model, goal)) {
            line.push(row.map_or(NONE.into(), |row| grouped(row.instructions)));
            if compared {
                line.push(row.and_then(ratio).map_or(NONE.into(), three_digits));
            }
        }
        lines.push(line);
    }
    let head = match compared {
        true => vec!["network", "CMSIS-NN", "speed", "ratio", "flash", "ratio", "ram", "ratio"],
        false => [&["network"], &GOALS[..]].concat(),
    };
    if compared {
        let mut line = vec!["geometric mean, ReLU".to_string(), String::new()];
        for goal in GOALS {
            let ratios = rows.iter().filter(|row| row.optimize == goal && row.model.ends_with("_relu"));
            line.push(String::new());
            line.push(geometric_mean(ratios.filter_map(|row| ratio(row))).map_or(NONE.into(), three_digits));
        }
        lines.push(line);
    }
    let core = rows.first().map_or("", |row| &row.core);
    format!("\n### {board}, {core}\n\n{}\n", markdown(&head, 1, lines))
}

/// Arena and model file, which are the same on every board.
pub fn memory(rows: &[Row]) -> String {
    let models = distinct(rows, |row| &row.model);
    let lines = models.into_iter().map(|model| {
        let rows = select(rows, |row| row.model == model);
        let trained = rows.iter().all(|row| row.trained);
        let find = |goal| find(&rows, model, goal);
        let cell = |bytes: fn(&Row) -> u64| move |row: Option<&Row>| row.map_or(NONE.into(), |row| grouped(bytes(row)));
        let mut line = vec![model.to_string(), if trained { "trained" } else { "random" }.into()];
        line.extend(GOALS.map(find).map(cell(|row| row.arena_bytes)));
        line.extend(GOALS.map(find).map(cell(|row| row.model_bytes)));
        line
    });
    let head = ["network", "weights", "arena, speed", "flash", "ram", "model file, speed", "flash", "ram"];
    markdown(&head, 2, lines.collect())
}

/// Program and stack: the most of all models on a board.
pub fn program(rows: &[Row]) -> String {
    let lines = distinct(rows, |row| &row.board).into_iter().map(|board| {
        let rows = select(rows, |row| row.board == board);
        let range = |figure: fn(&Row) -> u64| {
            let figures = || rows.iter().map(|row| figure(row));
            format!("{} to {}", grouped(figures().min().unwrap_or(0)), grouped(figures().max().unwrap_or(0)))
        };
        vec![board.into(), rows[0].core.clone(), range(|row| row.text_bytes), range(|row| row.stack_bytes)]
    });
    markdown(&["board", "core", "program", "stack"], 2, lines.collect())
}

/// Every layer of every network on the board that CMSIS-NN's layers were measured on.
pub fn layers(rows: &[Row]) -> String {
    let rows = select(rows, |row| row.board == LAYERS_BOARD);
    let mut text = String::new();
    for model in distinct(rows.iter().copied(), |row| &row.model) {
        let goals = GOALS.map(|goal| find(&rows, model, goal));
        let Some(first) = goals.iter().flatten().next() else { continue };
        let theirs = CMSIS_NN.layers(model);
        let lines = first.layers.iter().enumerate().map(|(index, layer)| {
            let theirs = theirs.get(index).copied();
            let mut line = vec![layer.name.clone(), grouped(layer.macs), theirs.map_or(NONE.into(), grouped)];
            for ours in goals.map(|row| row.and_then(|row| row.layers.get(index))) {
                line.push(ours.map_or(NONE.into(), |layer| grouped(layer.instructions)));
                let ratio = ours.zip(theirs).map(|(ours, theirs)| ours.instructions as f64 / theirs as f64);
                line.push(ratio.map_or(NONE.into(), three_digits));
            }
            line
        });
        let head = ["layer", "MACs", "CMSIS-NN", "speed", "ratio", "flash", "ratio", "ram", "ratio"];
        text += &format!("\n### {model}\n\n{}\n", markdown(&head, 1, lines.collect()));
    }
    text
}

/// Our instructions for one of CMSIS-NN's.
pub fn ratio(row: &Row) -> Option<f64> {
    Some(row.instructions as f64 / CMSIS_NN.of(&row.board, &row.model)? as f64)
}

pub fn three_digits(ratio: f64) -> String {
    format!("{ratio:.3}")
}

fn geometric_mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let logs: Vec<f64> = values.map(f64::ln).collect();
    (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp())
}

/// The different values of a field, in the order of their first row.
fn distinct<'a>(rows: impl IntoIterator<Item = &'a Row>, field: fn(&Row) -> &String) -> Vec<&'a str> {
    let mut seen: Vec<&str> = Vec::new();
    for row in rows {
        if !seen.contains(&field(row).as_str()) {
            seen.push(field(row));
        }
    }
    seen
}

fn select<'a>(rows: impl IntoIterator<Item = &'a Row>, wanted: impl Fn(&Row) -> bool) -> Vec<&'a Row> {
    rows.into_iter().filter(|row| wanted(row)).collect()
}

fn find<'a>(rows: &[&'a Row], model: &str, goal: &str) -> Option<&'a Row> {
    rows.iter().copied().find(|row| row.model == model && row.optimize == goal)
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::row;
    use super::*;

    fn on_m4(model: &str, optimize: &str, instructions: u64) -> Row {
        Row { board: LAYERS_BOARD.into(), model: model.into(), optimize: optimize.into(), ..row(instructions) }
    }

    #[test]
    fn ratios_and_their_mean_over_relu_networks() {
        let theirs = |model| CMSIS_NN.of(LAYERS_BOARD, model).unwrap();
        let rows = [
            on_m4("cnn3_k3_relu", "speed", theirs("cnn3_k3_relu") / 4),
            on_m4("cnn5_k3_relu", "speed", theirs("cnn5_k3_relu")),
            on_m4("cnn3_k3_sigmoid", "speed", theirs("cnn3_k3_sigmoid") * 7),
        ];
        let table = instructions(&rows);
        let last = table.trim_end().lines().last().unwrap();
        assert!(last.contains("geometric mean") && last.contains("0.500"), "{table}");
        assert!(table.contains("7.000") && table.contains("0.250"), "{table}");
    }

    #[test]
    fn a_board_without_their_figures_has_no_ratios() {
        let table = instructions(&[row(1234)]);
        assert!(table.contains("1,234") && !table.contains("ratio"), "{table}");
    }
}
