//! Publisher confirms of one channel. Pure.

/// Which publishes are confirmed: they are numbered from 1, in their order.
#[derive(Debug, Default)]
pub struct Confirms {
    published: u64,
    confirmed: u64,
}

/// A `basic.ack` to a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// The last number that it covers.
    pub delivery_tag: u64,
    /// Whether it covers all before as well.
    pub multiple: bool,
}

impl Confirms {
    /// A message was published.
    pub fn published(&mut self) {
        self.published = self.published.saturating_add(1);
    }

    /// Whether nothing waits to be confirmed.
    pub fn all_settled(&self) -> bool {
        self.published == self.confirmed
    }

    /// All that were published are where they belong: what to tell the publisher.
    pub fn settled(&mut self) -> Option<Confirm> {
        let unconfirmed = self.published.saturating_sub(self.confirmed);
        self.confirmed = self.published;
        (unconfirmed > 0).then_some(Confirm { delivery_tag: self.published, multiple: unconfirmed > 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirm_covers_exactly_what_was_published_since_the_last() {
        let mut confirms = Confirms::default();
        assert_eq!(confirms.settled(), None);
        confirms.published();
        assert_eq!(confirms.settled(), Some(Confirm { delivery_tag: 1, multiple: false }));
        confirms.published();
        confirms.published();
        assert_eq!(confirms.settled(), Some(Confirm { delivery_tag: 3, multiple: true }));
        assert_eq!(confirms.settled(), None);
    }
}
