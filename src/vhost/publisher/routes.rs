//! Where messages go: routes that are remembered for one epoch, and found out when they are not.

use leveret_protocol::table::Table;

use super::{By, ExtraKeys, Publisher, Route, Routed};
use crate::exchange::Routable;
use crate::message::Message;
use crate::store::unit::Unit;
use crate::vhost::Vhost;
use crate::vhost::refused::Refused;
use crate::vhost::reply_to::is_reply_name;

impl Publisher {
    /// Where a message goes, to be given to [`Self::gather`] with it.
    pub fn route(
        &mut self,
        vhost: &Vhost,
        message: &Message,
        extra_keys: ExtraKeys<'_>,
        headers: Option<Table<'_>>,
        unit: &mut Unit,
    ) -> Result<Routed, Refused> {
        if extra_keys.is_empty() {
            if let Some(routed) = self.remembered_route(vhost, message, unit) {
                return Ok(routed);
            }
        } else {
            self.renew(vhost, unit);
        }
        self.resolve(vhost, message, extra_keys, headers)
    }

    /// Where a message without extra keys goes, if that is remembered. Then it was found out by [`Self::resolve`] in this
    /// epoch, and whatever had to be asked before that need not be asked again.
    #[inline]
    pub fn remembered_route(&mut self, vhost: &Vhost, message: &Message, unit: &mut Unit) -> Option<Routed> {
        self.renew(vhost, unit);
        self.remembered(message.address()).map(Routed::Lasting)
    }

    /// Forgets what does not hold any more.
    #[inline]
    pub fn renew(&mut self, vhost: &Vhost, unit: &mut Unit) {
        let epoch = vhost.epoch();
        if epoch != self.epoch || self.remembers_too_much() {
            self.forget_routes(vhost, epoch, unit);
        }
    }

    /// Finds out where a message goes, and remembers it for the epoch that was seen last.
    pub fn resolve(
        &mut self,
        vhost: &Vhost,
        message: &Message,
        extra_keys: ExtraKeys<'_>,
        headers: Option<Table<'_>>,
    ) -> Result<Routed, Refused> {
        let (routed, lasting) = self.find(vhost, message, extra_keys, headers, Some(message))?;
        let Routed::Once(route) = routed else { return Ok(routed) };
        if !lasting {
            return Ok(routed);
        }
        self.route_bytes = self.route_bytes.saturating_add(message.address().len());
        self.routes.insert(message.address().into(), route);
        Ok(Routed::Lasting(route))
    }

    /// How many queues a message would go to; none if it cannot be routed.
    pub fn queues_of(
        &mut self,
        vhost: &Vhost,
        message: &Message,
        extra_keys: ExtraKeys<'_>,
        headers: Option<Table<'_>>,
        unit: &mut Unit,
    ) -> usize {
        if let Some(Routed::Lasting(route)) = self.remembered_route(vhost, message, unit)
            && extra_keys.is_empty()
        {
            return route.count as usize;
        }
        match self.find(vhost, message, extra_keys, headers, None) {
            Ok((Routed::Once(route), _)) => {
                self.targets.truncate(route.first as usize);
                route.count as usize
            }
            Ok(_) | Err(_) => 0,
        }
    }

    fn remembered(&mut self, address: &[u8]) -> Option<Route> {
        if let Some((last, route)) = &self.last
            && last == address
        {
            return Some(*route);
        }
        let route = *self.routes.get(address)?;
        let last = self.last.get_or_insert((Vec::new(), route));
        last.0.clear();
        last.0.extend_from_slice(address);
        last.1 = route;
        Some(route)
    }

    /// Finds out where a message goes, and whether all go there that have its address. Exchanges with a memory keep `kept`.
    fn find(
        &mut self,
        vhost: &Vhost,
        message: &Message,
        extra_keys: ExtraKeys<'_>,
        headers: Option<Table<'_>>,
        kept: Option<&Message>,
    ) -> Result<(Routed, bool), Refused> {
        let (exchange, routing_key) = (message.exchange(), message.routing_key());
        if exchange.is_empty() && is_reply_name(routing_key) {
            return Ok((Routed::Reply, false));
        }
        let mut found = std::mem::take(&mut self.found);
        found.clear();
        let properties = message.properties();
        let routable = Routable { routing_key, extra_keys, headers, properties, message: kept };
        let outcome = if self.by == By::Client {
            vhost.route(exchange, &routable, &mut found)
        } else {
            vhost.route_within(exchange, &routable, &mut found)
        };
        let mut route = self.route_found(&mut found);
        if let Some(exchange) = found.take_published_to() {
            route.exchange = self.published_to.number(&exchange);
        }
        let lasting = found.holds_for_the_key() && extra_keys.is_empty();
        self.found = found;
        outcome?;
        Ok((Routed::Once(route), lasting))
    }
}
