//! What a queue was declared with, what policies add to that, and whether it is paused: what an operator changes while it
//! is used. Changes of one queue come one after another: whoever makes them sees to that.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Gone, Queue, used};
use crate::policy::{Definition, InForce, Subject};
use crate::queue::options::QueueOptions;
use crate::queue::terms::Terms;
use crate::rate::{Limited, RateLimit, RateMeter};
use crate::time::Time;

/// What was declared, and which policies match.
pub(super) struct Standing {
    options: Arc<QueueOptions>,
    policies: Option<Arc<InForce>>,
    rate: Option<Arc<RateMeter>>,
    /// How long deliveries may be out if neither says it.
    default_timeout: Option<Duration>,
}

impl Standing {
    /// As declared, without any policy.
    pub(super) fn declared(options: QueueOptions) -> Self {
        Self { options: Arc::new(options), policies: None, rate: None, default_timeout: None }
    }
}

impl Queue {
    /// What it was declared with, or changed to since.
    pub fn options(&self) -> Arc<QueueOptions> {
        Arc::clone(&self.standing.read().unwrap_or_else(PoisonError::into_inner).options)
    }

    /// What policies put in force on it; nothing when none matches.
    pub fn policies(&self) -> Option<Arc<InForce>> {
        self.standing.read().unwrap_or_else(PoisonError::into_inner).policies.clone()
    }

    /// What policies take it for.
    pub fn subject(&self) -> Subject {
        if self.options().is_quorum() { Subject::QuorumQueue } else { Subject::ClassicQueue }
    }

    /// The same queue with these policies; see [`Self::register`].
    #[must_use]
    pub fn with_policies(self, policies: Option<Arc<InForce>>) -> Self {
        self.standing.write().unwrap_or_else(PoisonError::into_inner).policies = policies;
        self
    }

    /// The same queue, whose deliveries may be out for so long unless it is said otherwise; see [`Self::register`].
    #[must_use]
    pub fn with_default_timeout(self, timeout: Option<Duration>) -> Self {
        self.standing.write().unwrap_or_else(PoisonError::into_inner).default_timeout = timeout;
        self
    }

    /// Its deliveries may be out for so long from now on unless it is said otherwise.
    pub fn set_default_timeout(self: &Arc<Self>, timeout: Option<Duration>) {
        let mut standing = self.standing.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut standing.default_timeout, timeout);
        drop(standing);
        if before != timeout {
            self.put_in_force();
        }
    }

    /// These policies match from now on.
    pub fn set_policies(self: &Arc<Self>, policies: Option<Arc<InForce>>) {
        self.standing.write().unwrap_or_else(PoisonError::into_inner).policies = policies;
        self.put_in_force();
    }

    /// It is as if it had been declared with these options. What is fixed at a declaration is not to differ.
    pub fn change(self: &Arc<Self>, options: QueueOptions) {
        self.standing.write().unwrap_or_else(PoisonError::into_inner).options = Arc::new(options);
        self.put_in_force();
    }

    /// What options and policies say together comes into force.
    pub(super) fn put_in_force(self: &Arc<Self>) {
        let (options, policies) = (self.options(), self.policies());
        let definition = policies.as_ref().map_or(Definition::NONE, |policies| &policies.definition);
        let default_timeout = self.standing.read().unwrap_or_else(PoisonError::into_inner).default_timeout;
        let terms = Terms::in_force(options.arguments.as_table(), definition, default_timeout);
        self.set_terms(Arc::new(terms));
    }

    /// What is in force from now on. Of a backlog that is too long by this much may go now, and the rest soon.
    pub fn set_terms(self: &Arc<Self>, terms: Arc<Terms>) {
        self.may_refuse.store(terms.may_refuse(), Ordering::Relaxed);
        self.limit_rate(terms.publish_rate);
        let _gone = self.with(|core| {
            core.at(Time::now());
            core.set_terms(terms);
            used(core);
            self.perform(core);
        });
    }

    /// What is in force.
    pub fn terms(&self) -> Result<Arc<Terms>, Gone> {
        self.with(|core| Arc::clone(core.terms()))
    }

    fn limit_rate(&self, limit: RateLimit) {
        let mut standing = self.standing.write().unwrap_or_else(PoisonError::into_inner);
        let limited = || Limited::Queue(self.name.as_str().into());
        standing.rate = RateMeter::changed(standing.rate.take(), limit, limited);
    }

    /// How much clients may publish to it in a second, if there is a limit: they see to it themselves. That changes with an
    /// epoch of its virtual host.
    pub fn publish_rate(&self) -> Option<Arc<RateMeter>> {
        self.standing.read().unwrap_or_else(PoisonError::into_inner).rate.clone()
    }

    /// Whether it may refuse messages. That changes with an epoch of its virtual host.
    pub fn may_refuse(&self) -> bool {
        self.may_refuse.load(Ordering::Relaxed)
    }

    /// Delivers nothing from now on, and a get finds nothing; messages are taken and kept as ever. What is on its way to a
    /// consumer, or with it, may be settled.
    pub fn pause(self: &Arc<Self>) -> Result<(), Gone> {
        self.with(|core| core.pause(true))
    }

    /// Delivers again.
    pub fn resume(self: &Arc<Self>) -> Result<(), Gone> {
        self.with(|core| {
            core.pause(false);
            self.perform(core);
        })
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> Result<bool, Gone> {
        self.with(|core| core.is_paused())
    }
}
