//! What a model says: a table for people (aligned Markdown) and for programs (JSON).

use core::fmt;

use serde::Serialize;

use super::measure::Estimate;

/// The figures of one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// The model's name.
    pub name: &'static str,
    /// What is in the table.
    pub title: &'static str,
    /// How near to the real program the figures are: "model" wherever the real core does not run.
    pub fidelity: &'static str,
    /// The seed all chance came from.
    pub seed: u64,
    /// Trials per row.
    pub trials: u32,
    /// Heads of the columns.
    pub columns: Vec<&'static str>,
    /// Rows, each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
    /// What a reader must know: sources, units, assumptions.
    pub notes: Vec<&'static str>,
}

/// One figure or word.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// A word.
    Text(String),
    /// A count.
    Count(u64),
    /// An exact figure: a formula's or a published one.
    Exact {
        /// The figure.
        value: f64,
        /// Decimals that are printed.
        #[serde(skip)]
        decimals: usize,
    },
    /// A sampled figure.
    Sampled {
        /// Its mean.
        value: f64,
        /// Its standard error.
        error: f64,
        /// Decimals that are printed.
        #[serde(skip)]
        decimals: usize,
    },
}

impl Cell {
    /// A formula's or published figure; nothing to say if it is not a number.
    #[must_use]
    pub fn exact(value: f64, decimals: usize) -> Self {
        if value.is_nan() {
            return Self::none();
        }
        Self::Exact {
            value: rounded(value, decimals),
            decimals,
        }
    }

    /// A sampled figure, printed with its standard error.
    #[must_use]
    pub fn sampled(estimate: Estimate, decimals: usize) -> Self {
        Self::Sampled {
            value: rounded(estimate.value, decimals),
            error: rounded(estimate.error, decimals),
            decimals,
        }
    }

    /// Nothing to say.
    #[must_use]
    pub fn none() -> Self {
        Self::Text("-".to_owned())
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Two decimals more than are printed: the last bits of a logarithm may differ from machine to machine.
fn rounded(value: f64, decimals: usize) -> f64 {
    let scale = 10f64.powi(i32::try_from(decimals).unwrap_or(0) + 2);
    let rounded = (value * scale).round() / scale;
    // No minus before a zero.
    if rounded == 0.0 { 0.0 } else { rounded }
}

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => out.write_str(text),
            Self::Count(count) => write!(out, "{count}"),
            Self::Exact { value, decimals } => write!(out, "{value:.decimals$}"),
            Self::Sampled {
                value,
                error,
                decimals,
            } => write!(out, "{value:.decimals$} ± {error:.decimals$}"),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            title,
            fidelity,
            seed,
            trials,
            ..
        } = self;
        writeln!(out, "### {name}: {title}\n")?;
        writeln!(out, "fidelity: {fidelity}; seed {seed}; trials {trials}\n")?;
        let heads = self.columns.iter().map(|head| (*head).to_owned()).collect();
        let body = self
            .rows
            .iter()
            .map(|row| row.iter().map(Cell::to_string).collect());
        let lines: Vec<Vec<String>> = core::iter::once(heads).chain(body).collect();
        let width = |column: usize| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for (index, line) in lines.iter().enumerate() {
            for (cell, width) in line.iter().zip(&widths) {
                write!(out, "| {cell:<width$} ")?;
            }
            writeln!(out, "|")?;
            if index == 0 {
                for width in &widths {
                    write!(out, "|{}", "-".repeat(width + 2))?;
                }
                writeln!(out, "|")?;
            }
        }
        if !self.notes.is_empty() {
            writeln!(out)?;
        }
        self.notes
            .iter()
            .try_for_each(|note| writeln!(out, "- {note}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            name: "small",
            title: "two rows",
            fidelity: "model",
            seed: 1,
            trials: 2,
            columns: vec!["f", "found"],
            rows: vec![
                vec![
                    Cell::exact(0.1, 2),
                    Cell::sampled(
                        Estimate {
                            value: 0.25,
                            error: 0.01,
                        },
                        3,
                    ),
                ],
                vec!["all".into(), Cell::Count(7)],
            ],
            notes: vec!["a note"],
        }
    }

    #[test]
    fn markdown_is_aligned_and_says_its_fidelity() {
        let text = table().to_string();
        assert!(text.contains("fidelity: model"));
        assert!(text.contains("| f    | found         |\n|------|---------------|\n"));
        assert!(text.contains("| 0.10 | 0.250 ± 0.010 |\n| all  | 7             |\n\n- a note\n"));
    }

    #[test]
    fn json_has_values_and_errors() {
        let json = serde_json::to_string(&table()).unwrap();
        assert!(json.contains(r#""fidelity":"model""#));
        assert!(json.contains(r#"[{"value":0.1},{"value":0.25,"error":0.01}]"#));
        assert!(json.contains(r#"["all",7]"#));
    }

    #[test]
    fn no_minus_stands_before_a_zero() {
        assert_eq!(Cell::exact(-1e-12, 2).to_string(), "0.00");
    }
}
