//! Comma-separated values (RFC 4180): lines end with CR LF, quotes are doubled.

use super::Rows;

/// A row a line, below the names of the columns.
pub(super) fn of_rows(rows: &Rows, with_headers: bool) -> String {
    let names = with_headers.then(|| line(&rows.names));
    names.into_iter().chain(rows.cells.iter().map(|row| line(row))).collect()
}

/// One row with the names of the fields above it.
pub(super) fn of_fields(fields: &[(String, String)], with_headers: bool) -> String {
    let (names, values): (Vec<String>, Vec<String>) = fields.iter().cloned().unzip();
    let names = with_headers.then(|| line(&names));
    names.into_iter().chain([line(&values)]).collect()
}

fn line(cells: &[String]) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    cells.join(",") + "\r\n"
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_cell_is_quoted() {
        let cells = ["a", "b,c", "d\"e", "f\ng", ""].map(str::to_owned);
        assert_eq!(line(&cells), "a,\"b,c\",\"d\"\"e\",\"f\ng\",\r\n");
    }
}
