//! Runtime parameters as they are written down.

use serde_json::Value;

use super::fields::{FieldWriter, Fields, Malformed};
use super::key::{KeyReader, KeyWriter, Kind};
use crate::name::VhostName;
use crate::policy::Component;

/// A runtime parameter of a virtual host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterDefinition {
    /// Its virtual host.
    pub vhost: VhostName,
    /// What it is for.
    pub component: Component,
    /// Its name among those of its component and virtual host.
    pub name: Box<str>,
    /// Its value.
    pub value: Value,
}

/// A runtime parameter of the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GlobalParameterDefinition {
    /// Its name.
    pub name: Box<str>,
    /// Its value.
    pub value: Value,
}

mod tag {
    pub(super) const VALUE: u8 = 1;
}

/// The key of a parameter of a virtual host.
pub fn parameter_key(vhost: &str, component: &Component, name: &str) -> Vec<u8> {
    KeyWriter::new(Kind::Parameter).name(vhost).name(component.as_str()).name(name).finish()
}

/// The key of a parameter of the broker.
pub fn global_parameter_key(name: &str) -> Vec<u8> {
    KeyWriter::new(Kind::GlobalParameter).name(name).finish()
}

impl ParameterDefinition {
    pub(super) fn key(&self) -> Vec<u8> {
        parameter_key(self.vhost.as_str(), &self.component, &self.name)
    }

    pub(super) fn value(&self) -> Vec<u8> {
        written(&self.value)
    }

    pub(super) fn decode(mut names: KeyReader<'_>, fields: Fields<'_>) -> Result<Self, Malformed> {
        let mut name = || names.name().ok_or(Malformed::Key);
        let (vhost, component, name) = (name()?.into(), name()?, name()?.into());
        names.end().ok_or(Malformed::Key)?;
        let component = Component::named(&component);
        Ok(Self { vhost, component, name, value: read(fields)? })
    }
}

impl GlobalParameterDefinition {
    pub(super) fn key(&self) -> Vec<u8> {
        global_parameter_key(&self.name)
    }

    pub(super) fn value(&self) -> Vec<u8> {
        written(&self.value)
    }

    pub(super) fn decode(mut names: KeyReader<'_>, fields: Fields<'_>) -> Result<Self, Malformed> {
        let name = names.name().ok_or(Malformed::Key)?.into();
        names.end().ok_or(Malformed::Key)?;
        Ok(Self { name, value: read(fields)? })
    }
}

fn written(value: &Value) -> Vec<u8> {
    FieldWriter::new().bytes(tag::VALUE, value.to_string().as_bytes()).finish()
}

fn read(fields: Fields<'_>) -> Result<Value, Malformed> {
    let value = fields.get(tag::VALUE).and_then(|bytes| serde_json::from_slice(bytes).ok());
    value.ok_or(Malformed::Field("value"))
}
