//! Importing: one object after the other, in RabbitMQ's order.
//!
//! Each is applied as a whole or not at all. The first mistake ends it; what was applied before stays, as in RabbitMQ.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::absent::absent;
use super::document::{Document, Scope, Section};
use super::entry::{Entry, Made, Obstacle, Reader, Reading, Standing, There};
use super::fields::Fields;
use super::path::{Finding, Path};
use super::report::{Action, Change, Report, TOLD_MAX};
use super::{bindings, exchanges, parameters, permissions, policies, queues, users, vhosts};
use crate::auth::Permission;
use crate::connection::Environment;
use crate::name::VhostName;
use crate::place::Batch;

/// Whether anything is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Yes; changes are counted and not told one by one.
    Apply,
    /// Yes, and every change is told.
    ApplyAndTell,
    /// No: it is told what would be done, all that is wrong, and what there is that the document does not name.
    Try,
}

/// An import that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Import<'i> {
    /// Into this broker.
    pub environment: &'i Environment,
    /// Whoever asks, if anybody does: who makes a virtual host may use it, as in RabbitMQ.
    pub user: Option<&'i str>,
    /// Whether anything is done.
    pub mode: Mode,
}

/// What is read from a section, and how.
const fn reader(section: Section) -> Reader {
    match section {
        Section::Users => users::read,
        Section::Vhosts => vhosts::read,
        Section::Permissions => permissions::read,
        Section::Exchanges => exchanges::read,
        Section::TopicPermissions => permissions::read_topic,
        Section::GlobalParameters => parameters::read_global,
        Section::Policies => policies::read,
        Section::Parameters => parameters::read,
        Section::Queues => queues::read,
        Section::Bindings => bindings::read,
    }
}

impl Import<'_> {
    /// Imports a document. Gives what was done up to the first mistake, if there is one, and what to wait for until that is
    /// on the disk.
    pub fn of(&self, document: &Document) -> (Report, Option<Batch>) {
        let mut report = Report::default();
        let mut until = None;
        for remark in document.passed_over() {
            report.remark(remark);
        }
        if let Err(mistake) = self.all(document, &mut report, &mut until) {
            report.mistake(mistake);
        }
        if self.mode == Mode::Try {
            report.absent(absent(document, self.environment, TOLD_MAX));
        }
        (report, until)
    }

    fn all(
        &self,
        document: &Document,
        report: &mut Report,
        until: &mut Option<Batch>,
    ) -> Result<(), Finding> {
        let mut there = There { environment: self.environment, made: HashSet::new() };
        for section in Section::IN_ORDER {
            if *document.scope() != Scope::Broker && !section.is_of_vhost() {
                continue;
            }
            let objects = match document.objects(section) {
                Ok(objects) => objects,
                Err(mistake) => self.or_go_on(mistake, report).map(|()| &[][..])?,
            };
            if section == Section::Queues
                && let Err(mistake) = self.check_limits(document.scope(), objects)
            {
                self.or_go_on(mistake, report)?;
            }
            if !objects.is_empty() && self.mode != Mode::Try {
                tracing::info!("importing {} {}", objects.len(), section.as_str().replace('_', " "));
            }
            for (index, object) in objects.iter().enumerate() {
                let path = Path::object(section.as_str(), index);
                let mut reading =
                    Reading { environment: self.environment, scope: document.scope(), remarks: Vec::new() };
                let fields = Fields::new(path.clone(), object);
                let read = fields.and_then(|fields| reader(section)(&fields, &mut reading));
                reading.remarks.into_iter().for_each(|remark| report.remark(remark));
                let imported = match read {
                    Err(mistake) => Err(mistake),
                    Ok(None) => {
                        report.left_out(section);
                        Ok(None)
                    }
                    Ok(Some(entry)) => self.one(section, &path, &*entry, &mut there, report),
                };
                match imported {
                    Ok(batch) => *until = (*until).max(batch),
                    Err(mistake) => self.or_go_on(mistake, report)?,
                }
            }
        }
        Ok(())
    }

    /// A mistake ends what does something.
    fn or_go_on(&self, mistake: Finding, report: &mut Report) -> Result<(), Finding> {
        if self.mode != Mode::Try {
            return Err(mistake);
        }
        report.mistake(mistake);
        Ok(())
    }

    fn one(
        &self,
        section: Section,
        path: &Path,
        entry: &dyn Entry,
        there: &mut There<'_>,
        report: &mut Report,
    ) -> Result<Option<Batch>, Finding> {
        if let Some(obstacle) = entry.obstacle(there) {
            return stopped(obstacle, section, path, report);
        }
        let (action, before) = match entry.standing(self.environment) {
            Standing::Same => {
                report.unchanged(section);
                return Ok(None);
            }
            Standing::New => (Action::Create, None),
            Standing::Differs(before) => (Action::Change, Some(before)),
            Standing::Stays(before, reason) => {
                report.remark(Finding { path: path.clone(), reason: format!("stays as it is: {reason}") });
                (Action::Keep, Some(before))
            }
        };
        let mut until = None;
        let made = entry.makes();
        match self.mode {
            Mode::Try => there.made.extend(made),
            Mode::Apply | Mode::ApplyAndTell if action != Action::Keep => {
                match entry.apply(self.environment) {
                    Ok(batch) => until = batch,
                    Err(obstacle) => return stopped(obstacle, section, path, report),
                }
                if let (Action::Create, Some(Made::Vhost(name))) = (action, made) {
                    until = until.max(self.let_in(&name));
                }
            }
            Mode::Apply | Mode::ApplyAndTell => {}
        }
        let change = Change { path: path.clone(), action, before, after: entry.json() };
        report.changed(section, change, self.mode != Mode::Apply);
        Ok(until)
    }

    /// Whoever makes a virtual host may use it.
    fn let_in(&self, vhost: &str) -> Option<Batch> {
        let all = Permission::parse(".*", ".*", ".*").ok()?;
        self.environment.set_permission(self.user?, vhost, all).unwrap_or_default()
    }

    /// Whether the virtual hosts may have as many queues as they would: if not, none is made.
    fn check_limits(&self, scope: &Scope, objects: &[Value]) -> Result<(), Finding> {
        let mut new: HashMap<VhostName, HashSet<&str>> = HashMap::new();
        for object in objects {
            let name = object.get("name").and_then(Value::as_str);
            let vhost = match scope {
                Scope::Vhost(vhost) => Some(vhost.clone()),
                Scope::Broker => object.get("vhost").and_then(Value::as_str).map(VhostName::from),
            };
            if let (Some(name), Some(vhost)) = (name, vhost) {
                new.entry(vhost).or_default().insert(name);
            }
        }
        for (name, mut queues) in new {
            let Some(vhost) = self.environment.vhosts.get(name.as_str()) else { continue };
            let Some(max) = vhost.metadata().max_queues else { continue };
            queues.retain(|queue| vhost.queues().get(queue).is_none());
            let (added, present) = (queues.len(), vhost.queues().len());
            if added > 0 && (present + added) as u64 > max {
                let name = name.as_str().escape_debug();
                let reason = format!(
                    "the virtual host '{name}' has {present} queues, and with {added} more it would have more than its \
                     limit of {max}: raise its max-queues"
                );
                return Err(Finding { path: Path::default().field("queues"), reason });
            }
        }
        Ok(())
    }
}

fn stopped(
    obstacle: Obstacle,
    section: Section,
    path: &Path,
    report: &mut Report,
) -> Result<Option<Batch>, Finding> {
    let at: Vec<&str> = obstacle.at.iter().map(String::as_str).collect();
    let finding = Finding { path: path.fields(&at), reason: obstacle.reason };
    if obstacle.is_mistake {
        return Err(finding);
    }
    report.left_out(section);
    report.remark(finding);
    Ok(None)
}
