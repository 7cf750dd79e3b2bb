//! An operator looks at what is ready, and takes some of it out of its places.

use super::super::super::ready::Seen;
use super::*;

impl Run {
    /// Everything is seen that is ready, in its order, and nothing changes by that.
    fn seen(&self) -> Result<Vec<Seen>, String> {
        let (mut all, mut mark) = (Vec::new(), None);
        loop {
            let look = self.queue.look_from(mark).unwrap();
            mark = look.next();
            all.extend(look.messages(|place| self.disk.has(place).then(|| self.disk.read(place))));
            if mark.is_none() {
                break;
            }
        }
        let ready: Vec<Number> = self.model.ready.iter().copied().collect();
        let seen: Vec<Number> = all.iter().map(|seen| seen.position.0).collect();
        if seen != ready {
            return Err(format!("{seen:?} are seen, and ready are {ready:?}"));
        }
        for seen in &all {
            let number = Number::from_be_bytes(seen.message.body()[..8].try_into().unwrap());
            let returns = self.model.returns[usize::try_from(number).unwrap()];
            assert_eq!((seen.position.0, seen.returns), (number, returns));
            assert_eq!(seen.redelivered, !returns.is_none() || number < self.model.redelivered_below);
        }
        Ok(all)
    }

    pub(super) fn take_out(&mut self, which: &[Index]) -> Result<(), String> {
        let before = (self.queue.status(), self.requests.any_load());
        let seen = self.seen()?;
        assert_eq!((self.queue.status(), self.requests.any_load()), before, "looking changed something");
        if seen.is_empty() {
            return Ok(());
        }
        let mut wanted: Vec<&Seen> = which.iter().map(|which| which.get(&seen)).collect();
        wanted.sort_unstable_by_key(|seen| seen.position);
        wanted.dedup_by_key(|seen| seen.position);
        for seen in &wanted {
            self.model.ready.remove(&seen.position.0);
            self.model.out.push(seen.position.0);
        }
        let mut removed = self.queue.take_out(&wanted).unwrap();
        removed.sort_unstable_by_key(|removed| removed.position);
        let positions = |removed: &[Removed]| removed.iter().map(|one| one.position).collect::<Vec<_>>();
        let expected: Vec<Position> = wanted.iter().map(|seen| seen.position).collect();
        assert_eq!(positions(&removed), expected);
        assert_eq!(self.queue.take_out(&wanted).unwrap().len(), 0, "taken twice");
        self.removed.append(&mut removed);
        self.observe_deliveries()
    }

    pub(super) fn put_back(&mut self, which: &[Index], back: bool) -> Result<(), String> {
        let mut some = Vec::new();
        for which in which {
            if !self.removed.is_empty() {
                some.push(self.removed.swap_remove(which.index(self.removed.len())));
            }
        }
        self.end_removal(&some, back)
    }

    pub(super) fn put_all_back(&mut self) -> Result<(), String> {
        let all = std::mem::take(&mut self.removed);
        self.end_removal(&all, true)?;
        self.observe()
    }

    fn end_removal(&mut self, removed: &[Removed], back: bool) -> Result<(), String> {
        let (keys, numbers): (Vec<_>, Vec<_>) =
            removed.iter().map(|removed| (removed.key, removed.position.0)).unzip();
        self.model.out.retain(|number| !numbers.contains(number));
        if back {
            self.model.came_back(&numbers);
            self.queue.take_back(&keys);
        } else {
            self.model.done.extend(&numbers);
            self.with_group(|queue, group| queue.left(&keys, group));
        }
        self.observe_deliveries()
    }
}
