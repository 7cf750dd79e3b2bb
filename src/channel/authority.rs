//! What the user of a connection may do: asked of [`authorize`], and remembered until it changes.
//!
//! A publish asks when its address is not remembered, so that a remembered one costs nothing: routes are forgotten when
//! rights in the virtual host change.

use std::sync::Arc;

use super::exception::{Exception, denied, denied_text};
use super::session::Session;
use crate::access::{Access, rights_of_operator};
use crate::auth::{Action, Resource, Rights, authorize};
use crate::exchange::ExchangeType;
use crate::name::{UserName, VhostName};
use crate::rate::RateMeter;
use crate::vhost::Vhost;
use crate::vhost::publisher::ExtraKeys;

/// The rights of one connection.
pub struct Authority {
    access: Arc<Access>,
    /// At which epoch the rights were as they are here.
    epoch: u64,
    rights: Rights,
    /// An exchange that was found open to publishing with these rights.
    writes_to: Option<Box<str>>,
    /// Whether it is the operator of this machine, whose rights nothing changes.
    is_operator: bool,
}

impl Authority {
    /// The rights of a user in a virtual host; nothing when there is no such user.
    pub fn new(access: Arc<Access>, user: &str, vhost: &VhostName) -> Option<Self> {
        let epoch = access.epoch();
        let rights = access.rights(user, vhost)?;
        Some(Self { access, epoch, rights, writes_to: None, is_operator: false })
    }

    /// All rights there are in a virtual host.
    pub fn of_operator(access: Arc<Access>, vhost: &VhostName) -> Self {
        let (epoch, rights) = (access.epoch(), rights_of_operator(vhost));
        Self { access, epoch, rights, writes_to: None, is_operator: true }
    }

    /// Who it is.
    pub fn user(&self) -> &UserName {
        &self.rights.user.name
    }

    /// How much it may publish in a second, if there is a limit.
    pub fn publish_rate(&self) -> Option<Arc<RateMeter>> {
        self.access.publish_rate(self.user().as_str())
    }

    /// Where users are known.
    pub fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// The rights as they are now.
    pub fn rights(&mut self) -> &Rights {
        let epoch = self.access.epoch();
        if epoch != self.epoch {
            self.renew(epoch);
        }
        &self.rights
    }

    #[cold]
    fn renew(&mut self, epoch: u64) {
        self.epoch = epoch;
        self.writes_to = None;
        if self.is_operator {
            return;
        }
        match self.access.rights(self.rights.user.name.as_str(), &self.rights.vhost) {
            Some(rights) => self.rights = rights,
            // A user that was deleted has no rights until its connections are closed.
            None => self.rights.permission = None,
        }
    }

    /// Whether that may be done.
    pub fn permits(&mut self, action: Action, resource: Resource<'_>) -> Result<(), Exception> {
        let rights = self.rights();
        authorize(rights, action, resource).map_err(|refused| denied(&refused, rights))
    }

    /// Whether anything may be done: what a passive declare needs. A refusal names the last.
    pub(super) fn permits_any(&mut self, resource: Resource<'_>) -> Result<(), Exception> {
        let rights = self.rights();
        let allowed = |action: &Action| authorize(rights, *action, resource).is_ok();
        if [Action::Read, Action::Write].iter().any(allowed) {
            return Ok(());
        }
        self.permits(Action::Configure, resource)
    }

    /// Whether an exchange may be published to.
    #[inline]
    pub(super) fn permits_publish(&mut self, exchange: &str) -> Result<(), Exception> {
        if self.access.epoch() == self.epoch && self.writes_to.as_deref() == Some(exchange) {
            return Ok(());
        }
        self.permits(Action::Write, Resource::Exchange(exchange))?;
        self.writes_to = Some(exchange.into());
        Ok(())
    }

    /// Whether that may be done with a key of an exchange, which matters for a topic exchange only.
    pub(super) fn permits_key(
        &mut self,
        action: Action,
        vhost: &Vhost,
        exchange: &str,
        key: &str,
    ) -> Result<(), Exception> {
        if self.rights().topics.is_empty() || !is_topic(vhost, exchange) {
            return Ok(());
        }
        self.permits(action, Resource::Topic(exchange, key))
    }

    /// Whether the access to the virtual host was lost, as a text for the client.
    pub fn lost_access(&mut self) -> Option<String> {
        let rights = self.rights();
        authorize(rights, Action::Access, Resource::Vhost).err().map(|refused| denied_text(&refused, rights))
    }
}

impl Session {
    /// Whether a message may be published with all of its keys.
    pub(super) fn permits_message(
        &mut self,
        exchange: &str,
        routing_key: &str,
        extra_keys: ExtraKeys<'_>,
    ) -> Result<(), Exception> {
        self.authority.permits_publish(exchange)?;
        if self.authority.rights.topics.is_empty() {
            return Ok(());
        }
        for key in std::iter::once(&routing_key).chain(extra_keys) {
            self.authority.permits_key(Action::Write, &self.vhost, exchange, key)?;
        }
        Ok(())
    }
}

fn is_topic(vhost: &Vhost, exchange: &str) -> bool {
    vhost.exchanges().get(exchange).is_some_and(|found| found.options().exchange_type == ExchangeType::Topic)
}
