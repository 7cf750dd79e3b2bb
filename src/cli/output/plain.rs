//! Lines for programs that read lines: a tab between two columns, and none within.

use super::Rows;

/// A row a line, below the names of the columns.
pub(super) fn of_rows(rows: &Rows, with_headers: bool) -> String {
    let names = with_headers.then(|| rows.names.join("\t"));
    let lines = names.into_iter().chain(rows.cells.iter().map(|row| row.join("\t")));
    lines.fold(String::new(), |text, line| text + &line + "\n")
}

/// A field a line.
pub(super) fn of_fields(fields: &[(String, String)]) -> String {
    fields.iter().fold(String::new(), |text, (name, value)| text + name + "\t" + value + "\n")
}
