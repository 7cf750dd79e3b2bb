//! What a command has found, in the forms that RabbitMQ's programs show it.

use std::fmt::Write;

use serde_json::Value;

use super::field::Field;
use super::trouble::Trouble;
use crate::cli::output::escape;

/// What a command says when it is done.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing beside what it said before.
    Nothing,
    /// Lines for people; an object for programs, if there is one.
    Text(String, Option<Value>),
    /// Objects with these columns.
    Rows(Vec<String>, Vec<Value>),
}

/// The form, by its name in `--formatter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Formatter {
    /// A tab between two columns.
    Table,
    /// With lines around.
    PrettyTable,
    Csv,
    Json,
    /// A JSON object a line.
    JsonStream,
    /// Terms of Erlang.
    Erlang,
}

impl Formatter {
    pub(super) fn named(name: &str) -> Result<Self, Trouble> {
        Ok(match name {
            "table" | "string" | "plain" | "report" | "inspect" => Self::Table,
            "pretty_table" => Self::PrettyTable,
            "csv" => Self::Csv,
            "json" => Self::Json,
            "json_stream" => Self::JsonStream,
            "erlang" => Self::Erlang,
            _ => {
                let known = "table, pretty_table, csv, json, json_stream, erlang";
                return Err(Trouble::usage(format!("there is no formatter '{name}': try one of {known}")));
            }
        })
    }

    /// Whether people read it, so that it may have words around it.
    pub(super) fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::PrettyTable)
    }

    /// What is shown of it.
    pub(super) fn show(self, found: &Found, with_headers: bool) -> String {
        match (found, self) {
            (Found::Nothing, _) => String::new(),
            (Found::Text(_, Some(object)), Self::Json | Self::JsonStream) => format!("{object}\n"),
            (Found::Text(text, None), Self::Json | Self::JsonStream) => {
                format!("{}\n", Value::from(text.trim_end()))
            }
            (Found::Text(_, Some(object)), Self::Erlang) => term(object) + "\n",
            (Found::Text(text, _), _) => text.clone(),
            (Found::Rows(columns, rows), _) => self.rows(columns, rows, with_headers),
        }
    }

    fn rows(self, columns: &[String], rows: &[Value], with_headers: bool) -> String {
        let cells =
            |row: &Value| -> Vec<String> { columns.iter().map(|column| cell_text(row.of(column))).collect() };
        let lines: Vec<String> = match self {
            Self::Table => {
                let headers = (with_headers && !rows.is_empty()).then(|| columns.join("\t") + "\n");
                let line = |row: &Value| {
                    let cells: Vec<String> =
                        cells(row).iter().map(|cell| escape(cell).into_owned()).collect();
                    cells.join("\t") + "\n"
                };
                headers.into_iter().chain(rows.iter().map(line)).collect()
            }
            Self::Csv => {
                let line = |cells: &[String]| {
                    let cells: Vec<String> =
                        cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
                    cells.join(",") + "\n"
                };
                let headers = with_headers.then(|| line(columns));
                headers.into_iter().chain(rows.iter().map(|row| line(&cells(row)))).collect()
            }
            Self::Json => {
                let rows: Vec<String> = rows.iter().map(|row| in_order(columns, row) + "\n").collect();
                vec!["[\n".to_owned(), rows.join(","), "]\n".to_owned()]
            }
            Self::JsonStream => rows.iter().map(|row| in_order(columns, row) + "\n").collect(),
            Self::Erlang => {
                let row = |row: &Value| {
                    let fields =
                        columns.iter().map(|column| format!("{{{column},{}}}", term(row.of(column))));
                    format!("[{}]", fields.collect::<Vec<String>>().join(","))
                };
                let rows: Vec<String> = rows.iter().map(row).collect();
                vec![format!("[{}]\n", rows.join(",\n "))]
            }
            Self::PrettyTable => {
                let mut table = comfy_table::Table::new();
                table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED).set_header(columns);
                for row in rows {
                    table.add_row(cells(row).iter().map(|cell| escape(cell).into_owned()));
                }
                vec![format!("{table}\n")]
            }
        };
        lines.concat()
    }
}

/// An object with its fields in the order of the columns.
fn in_order(columns: &[String], row: &Value) -> String {
    let fields = columns.iter().map(|column| format!("{}:{}", Value::from(column.as_str()), row.of(column)));
    format!("{{{}}}", fields.collect::<Vec<String>>().join(","))
}

/// A value in a cell: words as they are, lists and tables as Erlang's terms.
fn cell_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let words: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            format!("[{}]", words.join(", "))
        }
        value => term(value),
    }
}

/// A value as a term of Erlang; arguments, which are triples of name, type and value, as pairs.
fn term(value: &Value) -> String {
    let list = |items: Vec<String>| format!("[{}]", items.join(","));
    match value {
        Value::Null => "undefined".to_owned(),
        Value::String(_) | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => {
            list(items.iter().map(|item| pair(item).unwrap_or_else(|| term(item))).collect())
        }
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| format!("{{{name:?},{}}}", term(value));
            list(fields.iter().map(field).collect())
        }
    }
}

fn pair(item: &Value) -> Option<String> {
    match item.as_array()?.as_slice() {
        [name @ Value::String(_), Value::String(_), value] => {
            Some(format!("{{{},{}}}", term(name), term(value)))
        }
        _ => None,
    }
}

/// A table of AMQP, which the HTTP API has as an object, as triples of name, type and value.
pub(super) fn triples(arguments: &Value) -> Value {
    let Some(fields) = arguments.as_object() else { return Value::Array(Vec::new()) };
    let triple = |(name, value): (&String, &Value)| {
        let (kind, value) = match value {
            Value::String(_) => ("longstr", value.clone()),
            Value::Bool(_) => ("bool", value.clone()),
            Value::Number(number) if number.is_f64() => ("double", value.clone()),
            Value::Number(_) => ("signedint", value.clone()),
            Value::Object(_) => ("table", triples(value)),
            Value::Array(_) => ("array", value.clone()),
            Value::Null => ("void", value.clone()),
        };
        Value::from(vec![Value::from(name.as_str()), Value::from(kind), value])
    };
    fields.iter().map(triple).collect()
}

/// Adds a section to a report: its heading and its lines.
pub(super) fn section(text: &mut String, heading: &str, lines: &[String]) {
    // A string takes all that is written to it.
    let _ = writeln!(text, "{heading}\n");
    for line in lines {
        let _ = writeln!(text, "{}", escape(line));
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rows() -> Found {
        let columns = ["name", "messages", "arguments", "tags"].map(str::to_owned).to_vec();
        let arguments = triples(&json!({ "x-max-length": 5, "x-queue-type": "quorum", "t": { "b": true } }));
        let rows = vec![
            json!({ "tags": ["a", "b"], "messages": 3, "name": "q\t1", "arguments": arguments }),
            json!({ "name": "q\"2", "messages": 0, "arguments": [], "tags": [] }),
        ];
        Found::Rows(columns, rows)
    }

    #[test]
    fn rows_are_shown_as_rabbitmqs_programs_show_them() {
        let expected = "name\tmessages\targuments\ttags\n\
            q\\t1\t3\t[{\"t\",[{\"b\",true}]},{\"x-max-length\",5},{\"x-queue-type\",\"quorum\"}]\t[a, b]\n\
            q\"2\t0\t[]\t[]\n";
        assert_eq!(Formatter::Table.show(&rows(), true), expected);
        assert_eq!(Formatter::Table.show(&rows(), false), expected.split_once('\n').unwrap().1);
        let json = Formatter::Json.show(&rows(), true);
        let start = "[\n{\"name\":\"q\\t1\",\"messages\":3,\"arguments\":[[\"t\",\"table\",";
        assert!(json.starts_with(start), "{json}");
        let end = "}\n,{\"name\":\"q\\\"2\",\"messages\":0,\"arguments\":[],\"tags\":[]}\n]\n";
        assert!(json.ends_with(end), "{json}");
        let read: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read[0]["arguments"][1], json!(["x-max-length", "signedint", 5]));
        let csv = Formatter::Csv.show(&rows(), true);
        let start = "\"name\",\"messages\",\"arguments\",\"tags\"\n\"q\t1\",\"3\",\"[{\"\"t\"\"";
        assert!(csv.starts_with(start), "{csv}");
    }

    #[test]
    fn nothing_found_is_an_empty_list_for_programs_and_nothing_for_people() {
        let none = Found::Rows(vec!["name".to_owned()], Vec::new());
        assert_eq!(Formatter::Table.show(&none, true), "");
        assert_eq!(Formatter::Json.show(&none, true), "[\n]\n");
    }
}
