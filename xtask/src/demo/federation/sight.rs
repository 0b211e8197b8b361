//! What a host sees: the tables of its database, the lines of its log.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::command::output;
use crate::local_node::LocalNode;

/// Reads a database without changing it; SQLite comes with Python.
const READER: &str = include_str!("sight.py");

/// What one host had at one moment.
pub(crate) struct Sight {
    /// Whose, and when.
    pub(crate) of: String,
    tables: Vec<Table>,
}

/// One table of a host's database.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
struct Table {
    table: String,
    rows: u64,
    /// Each with the lengths of what is in it.
    columns: Vec<String>,
}

impl Sight {
    /// Looks at everything that has rows.
    pub(crate) fn all(node: &LocalNode, of: impl Into<String>) -> Result<Self> {
        let mut python = Command::new("python3");
        python
            .args(["-c", READER])
            .arg(node.folder().join("node.db"));
        let text = output(&mut python)?;
        let tables = serde_json::from_str(&text).with_context(|| format!("tables: {text}"))?;
        Ok(Self {
            of: of.into(),
            tables,
        })
    }

    /// The same, of some tables alone.
    pub(crate) fn only(self, names: &[&str]) -> Self {
        let wanted = |table: &Table| names.contains(&table.table.as_str());
        Self {
            tables: self.tables.into_iter().filter(wanted).collect(),
            ..self
        }
    }

    /// Rows of a table.
    pub(crate) fn rows(&self, name: &str) -> u64 {
        let mut tables = self.tables.iter();
        tables
            .find(|table| table.table == name)
            .map_or(0, |table| table.rows)
    }

    /// As it is shown: a line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{}:", self.of)];
        lines.extend(self.tables.iter().map(|table| {
            let Table {
                table,
                rows,
                columns,
            } = table;
            format!("  {table:<13} {rows:>4}  {}", columns.join(", "))
        }));
        lines
    }
}

/// How much a node has logged, and its last words.
pub(crate) fn log_of(node: &LocalNode) -> Result<String> {
    let log = node.log();
    let text = fs::read_to_string(&log).with_context(|| log.display().to_string())?;
    let last = text.lines().last().unwrap_or_default();
    Ok(format!(
        "  log           {:>4}  lines, the last: {last}",
        text.lines().count()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, rows: u64) -> Table {
        Table {
            table: name.to_owned(),
            rows,
            columns: vec!["bytes (512 B)".to_owned()],
        }
    }

    #[test]
    fn tables_are_a_line_each() {
        let sight = Sight {
            of: "north".to_owned(),
            tables: vec![table("mail", 2), table("space", 1)],
        };

        assert_eq!((sight.rows("mail"), sight.rows("spool")), (2, 0));
        let lines = sight.only(&["mail"]).lines();
        assert_eq!(lines.len(), 2);
        assert!(lines[1].starts_with("  mail"), "{lines:?}");
        assert!(lines[1].ends_with("2  bytes (512 B)"), "{lines:?}");
    }
}
