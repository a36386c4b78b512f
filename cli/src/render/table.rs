//! Tables whose columns line up, full-width characters included.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

/// To which side a column is pushed.
#[derive(Clone, Copy)]
pub enum Side {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Blanks between columns.
const GAP: usize = 2;

/// Rows under a head.
pub struct Table {
    columns: Vec<(String, Side)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    #[must_use]
    pub fn new(columns: &[(&str, Side)]) -> Self {
        Self {
            columns: columns
                .iter()
                .map(|(name, side)| ((*name).to_owned(), *side))
                .collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells beyond the columns are left out, missing ones empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Columns on the screen that the table takes without one of its columns.
    #[must_use]
    pub fn width_without(&self, column: usize) -> usize {
        let widths = self.widths();
        let others = widths.iter().enumerate().filter(|(i, _)| *i != column);
        others.map(|(_, width)| width + GAP).sum()
    }

    /// Writes the head and the rows.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let widths = self.widths();
        let head: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        self.line(out, &head, &widths)?;
        for row in &self.rows {
            self.line(out, row, &widths)?;
        }
        Ok(())
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |(i, (name, _)): (usize, &(String, Side))| {
            let cells = self.rows.iter().filter_map(|row| row.get(i));
            cells
                .map(|cell| cell.width())
                .fold(name.width(), usize::max)
        };
        self.columns.iter().enumerate().map(widest).collect()
    }

    fn line(&self, out: &mut dyn Write, cells: &[String], widths: &[usize]) -> io::Result<()> {
        let mut line = String::new();
        for (i, ((_, side), width)) in self.columns.iter().zip(widths).enumerate() {
            let cell = cells.get(i).map_or("", String::as_str);
            let room = " ".repeat(width.saturating_sub(cell.width()));
            if i > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            match side {
                Side::Left => line.extend([cell, &room]),
                Side::Right => line.extend([&room, cell]),
            }
        }
        writeln!(out, "{}", line.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(table: &Table) -> String {
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn full_width_characters_take_two_columns() {
        let mut table = Table::new(&[("title", Side::Left), ("size", Side::Right)]);
        table.row(["朧月夜".to_owned(), "8".to_owned()]);
        table.row(["ab".to_owned(), "1000".to_owned()]);
        assert_eq!(
            written(&table),
            "title   size\n朧月夜     8\nab      1000\n"
        );
        assert_eq!(table.width_without(0), 6);
    }

    #[test]
    fn missing_cells_are_empty_and_surplus_ones_left_out() {
        let mut table = Table::new(&[("a", Side::Left), ("b", Side::Left)]);
        table.row(["1".to_owned()]);
        table.row(["1".to_owned(), "2".to_owned(), "3".to_owned()]);
        assert_eq!(written(&table), "a  b\n1\n1  2\n");
    }
}
