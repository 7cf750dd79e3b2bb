//! Lists of what there is: filtered, ordered, and with the columns that are of interest.

use clap::Args;
use serde_json::Value;

use crate::cli::client::{path, query};
use crate::cli::desk::Desk;
use crate::cli::exit;
use crate::cli::failure::Failure;

/// What of a list is shown, and in which order.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct ListFlags {
    /// Only those with this text in their names, in capital letters or not
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// In the order of a column, such as messages or message_stats.publish
    #[arg(long, value_name = "COLUMN")]
    sort: Option<String>,
    /// In the opposite order
    #[arg(long)]
    reverse: bool,
}

/// A kind of things that can be listed.
pub(super) struct Kind<'a> {
    /// Where they are: the parts of the path behind `/api`.
    pub(super) parts: &'a [&'a str],
    /// What is shown of each on a terminal.
    pub(super) columns: &'a [&'a str],
    /// The field that a filter of names looks at.
    pub(super) name: &'a str,
}

impl Kind<'_> {
    /// The virtual host whose things they are, where nothing else can be missing.
    fn vhost(&self) -> Option<&str> {
        const OF_VHOSTS: [&str; 6] =
            ["bindings", "consumers", "exchanges", "operator-policies", "policies", "queues"];
        match self.parts {
            [kind, vhost] if OF_VHOSTS.contains(kind) => Some(vhost),
            ["vhosts", vhost, _] => Some(vhost),
            _ => None,
        }
    }
}

impl ListFlags {
    /// Shows them.
    pub(super) fn show(&self, desk: &mut Desk, kind: &Kind<'_>) -> Result<(), Failure> {
        desk.output.clone().watched(|| {
            let objects = self.read(desk, kind)?;
            desk.output.list(objects, kind.columns)
        })
    }

    /// Reads them. What is not shown is not asked for.
    pub(super) fn read(&self, desk: &mut Desk, kind: &Kind<'_>) -> Result<Vec<Value>, Failure> {
        self.read_with(desk, kind, &[])
    }

    /// The same with further fields, at which the caller looks.
    pub(super) fn read_with(
        &self,
        desk: &mut Desk,
        kind: &Kind<'_>,
        further: &[&str],
    ) -> Result<Vec<Value>, Failure> {
        let asked = desk.output.columns();
        let mut columns: Vec<&str> =
            if asked.is_empty() { kind.columns.to_vec() } else { asked.iter().map(String::as_str).collect() };
        columns.extend(self.name.as_ref().map(|_| kind.name));
        columns.extend(further);
        let columns = columns.join(",");
        let mut fields = Vec::new();
        if !desk.output.is_whole() {
            fields.push(("columns", columns.as_str()));
        }
        fields.extend(self.sort.as_deref().map(|column| ("sort", column)));
        if self.reverse {
            fields.push(("sort_reverse", "true"));
        }
        let place = path(kind.parts);
        let value =
            desk.get(&query(&place, &fields)).map_err(|failure| match (failure.why, kind.vhost()) {
                (_, Some(vhost)) if failure.status == Some(404) => Failure {
                    what: format!("there is no vhost '{vhost}'"),
                    next: Some("'leveret vhosts ls' shows those that there are.".to_owned()),
                    why: None,
                    ..failure
                },
                (Some(why), None) if failure.status == Some(404) => Failure {
                    what: "there is no such list".to_owned(),
                    next: Some("Is the virtual host there, or whatever else it is of?".to_owned()),
                    why: Some(why),
                    ..failure
                },
                (why, _) => Failure { why, ..failure },
            })?;
        let Value::Array(mut objects) = value else {
            return Err(Failure::new(exit::PROTOCOL, "the broker answered with something that is no list"));
        };
        if let Some(text) = self.name.as_deref().map(str::to_lowercase) {
            objects.retain(|object| {
                let name = object.get(kind.name).and_then(Value::as_str).unwrap_or_default();
                name.to_lowercase().contains(&text)
            });
        }
        Ok(objects)
    }
}
