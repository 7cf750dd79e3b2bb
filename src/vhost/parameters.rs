//! Runtime parameters: of a virtual host by what they are for, and of the broker.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::Vhost;
use super::policies::NoSuchParameter;
use super::records::Records;
use super::telling::{tell_global_parameter_cleared, tell_global_parameter_set};
use crate::event::Events;
use crate::place::Batch;
use crate::policy::{Component, Invalid};
use crate::store::definitions::{
    Definition, Definitions, GlobalParameterDefinition, Record, global_parameter_key,
};

/// The parameters of a virtual host.
pub(super) type Parameters = BTreeMap<(Component, Box<str>), Value>;

impl Vhost {
    /// Sets a parameter, in the place of one of that name. Gives what to wait for until it is on the disk.
    ///
    /// # Errors
    /// The value is not what its component takes.
    pub fn set_parameter(
        &self,
        component: &Component,
        name: &str,
        value: Value,
    ) -> Result<Option<Batch>, Invalid> {
        component.check(name, &value)?;
        let mut parameters = self.parameters_mut();
        let mut records = Records::new(self);
        records.parameter(component, name, &value);
        let until = records.commit();
        self.tell_parameter_set(component, name, &value);
        parameters.insert((component.clone(), name.into()), value);
        Ok(until)
    }

    /// Takes a parameter back. Gives what to wait for until that is on the disk.
    pub fn clear_parameter(
        &self,
        component: &Component,
        name: &str,
    ) -> Result<Option<Batch>, NoSuchParameter> {
        let mut parameters = self.parameters_mut();
        let key = (component.clone(), name.into());
        if !parameters.contains_key(&key) {
            return Err(NoSuchParameter);
        }
        let mut records = Records::new(self);
        records.forget_parameter(component, name);
        let until = records.commit();
        self.tell_parameter_cleared(component, name);
        parameters.remove(&key);
        Ok(until)
    }

    /// Its parameters, in the order of components and names.
    pub fn parameters(&self) -> Vec<(Component, Box<str>, Value)> {
        let parameters = self.parameters_mut();
        parameters
            .iter()
            .map(|((component, name), value)| (component.clone(), name.clone(), value.clone()))
            .collect()
    }

    /// A parameter's value.
    pub fn parameter(&self, component: &Component, name: &str) -> Option<Value> {
        self.parameters_mut().get(&(component.clone(), name.into())).cloned()
    }

    pub(super) fn parameters_mut(&self) -> MutexGuard<'_, Parameters> {
        self.parameters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The global parameter that tells a broker from others, as RabbitMQ calls it.
const CLUSTER_ID: &str = "internal_cluster_id";

/// The parameters of a broker.
#[derive(Default)]
pub struct GlobalParameters {
    values: Mutex<BTreeMap<Box<str>, Value>>,
    /// None in a broker that keeps nothing.
    definitions: Option<Arc<Definitions>>,
    /// What happens to them is told here.
    events: Arc<Events>,
}

impl GlobalParameters {
    /// Those of an earlier run; from now on changes are written down.
    pub(super) fn kept_in(values: BTreeMap<Box<str>, Value>, definitions: Arc<Definitions>) -> Self {
        Self { values: Mutex::new(values), definitions: Some(definitions), events: Arc::default() }
    }

    pub(super) fn tell_to(&mut self, events: &Arc<Events>) {
        self.events = Arc::clone(events);
    }

    /// Sets a parameter, in the place of one of that name. Gives what to wait for until it is on the disk.
    pub fn set(&self, name: &str, value: Value) -> Option<Batch> {
        let mut values = self.lock();
        tell_global_parameter_set(&self.events, name, &value);
        self.put(&mut values, name, value)
    }

    fn put(&self, values: &mut BTreeMap<Box<str>, Value>, name: &str, value: Value) -> Option<Batch> {
        let definition = GlobalParameterDefinition { name: name.into(), value };
        let until = self.write(|record| record.define(&Definition::GlobalParameter(definition.clone())));
        values.insert(definition.name, definition.value);
        until
    }

    /// Takes a parameter back. Gives what to wait for until that is on the disk.
    pub fn clear(&self, name: &str) -> Result<Option<Batch>, NoSuchParameter> {
        let mut values = self.lock();
        if !values.contains_key(name) {
            return Err(NoSuchParameter);
        }
        let until = self.write(|record| record.forget(global_parameter_key(name)));
        tell_global_parameter_cleared(&self.events, name);
        values.remove(name);
        Ok(until)
    }

    /// A parameter's value.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.lock().get(name).cloned()
    }

    /// What tells this broker from all others, also when it was started again; made when it is first asked for, as a
    /// parameter of the name that RabbitMQ has for it.
    pub fn cluster_id(&self) -> String {
        let mut values = self.lock();
        if let Some(Value::String(id)) = values.get(CLUSTER_ID) {
            return id.clone();
        }
        let mut random = [0; 16];
        // Without randomness the process cannot make connections either; an id of zeros is one all the same.
        let _ = getrandom::fill(&mut random);
        let id = format!("rabbitmq-cluster-id-{}", URL_SAFE_NO_PAD.encode(random));
        self.put(&mut values, CLUSTER_ID, Value::String(id.clone()));
        id
    }

    /// All of them, in the order of their names.
    pub fn all(&self) -> Vec<(Box<str>, Value)> {
        self.lock().iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn write(&self, change: impl FnOnce(&mut Record<'_>)) -> Option<Batch> {
        let mut record = self.definitions.as_ref()?.record();
        change(&mut record);
        record.commit()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Value>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
