//! Tables for people at a terminal.

use std::io;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use rustix::termios::tcgetwinsize;

use super::Rows;

/// Where no terminal says how wide it is.
const WIDTH: u16 = 120;

fn empty() -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    let columns = tcgetwinsize(io::stdout()).map_or(0, |size| size.ws_col);
    table.set_width(if columns == 0 { WIDTH } else { columns });
    table
}

/// A row a line; numbers stand at the right.
pub(super) fn of_rows(rows: &Rows, with_headers: bool) -> String {
    if rows.cells.is_empty() {
        return "(none)\n".to_owned();
    }
    let mut table = empty();
    if with_headers {
        table.set_header(&rows.names);
    }
    for row in &rows.cells {
        let cells = row.iter().zip(&rows.numeric).map(|(text, numeric)| {
            let alignment = if *numeric { CellAlignment::Right } else { CellAlignment::Left };
            Cell::new(text).set_alignment(alignment)
        });
        table.add_row(cells);
    }
    format!("{}\n", table.trim_fmt())
}

/// A field a line.
pub(super) fn of_fields(fields: &[(String, String)]) -> String {
    if fields.is_empty() {
        return "(nothing)\n".to_owned();
    }
    let mut table = empty();
    for (name, value) in fields {
        table.add_row([name, value]);
    }
    format!("{}\n", table.trim_fmt())
}
