use proptest::prelude::*;

use super::*;

fn id(due: u64, position: u64) -> ScheduledId {
    ScheduledId { due: Time::from_millis(due), position: Position(position) }
}

#[test]
fn messages_are_due_in_the_order_of_their_times_and_then_of_their_places() {
    let mut waiting = Waiting::default();
    assert_eq!((waiting.next_due(), waiting.pop_due(Time::NEVER)), (Time::NEVER, None));
    for (at, (due, position)) in [(20, 1), (10, 9), (10, 2), (30, 0)].into_iter().enumerate() {
        waiting.insert(id(due, position), UnackedKey::new(u32::try_from(at).unwrap()));
    }
    assert_eq!(waiting.next_due(), Time::from_millis(10));
    let mut due = |now| waiting.pop_due(Time::from_millis(now)).map(|(id, key)| (id, key.at()));
    assert_eq!(due(9), None);
    assert_eq!(due(10), Some((id(10, 2), 2)));
    assert_eq!(due(20), Some((id(10, 9), 1)));
    assert_eq!(due(20), Some((id(20, 1), 0)));
    assert_eq!(due(29), None);
    assert_eq!(due(31), Some((id(30, 0), 3)));
    assert!(waiting.is_empty());
}

proptest! {
    #[test]
    fn pages_and_removals_see_what_a_sorted_list_sees(
        dues in prop::collection::vec(0..20_u64, 0..60),
        removed in prop::collection::vec(0..60_usize, 0..30),
        page in 1..10_usize,
    ) {
        let (mut waiting, mut list) = (Waiting::default(), Vec::new());
        for (position, due) in (0..).zip(dues) {
            waiting.insert(id(due, position), UnackedKey::new(u32::try_from(position).unwrap()));
            list.push(id(due, position));
        }
        for at in removed {
            let Some(id) = list.get(at).copied() else { continue };
            list.retain(|other| *other != id);
            prop_assert_eq!(waiting.remove(id).map(|key| u64::from(key.at())), Some(id.position.0));
            prop_assert_eq!(waiting.remove(id), None);
        }
        list.sort_unstable();
        let (mut seen, mut last) = (Vec::new(), None);
        loop {
            let next: Vec<_> = waiting.after(last).take(page).map(|(id, _)| id).collect();
            let Some(end) = next.last() else { break };
            last = Some(*end);
            seen.extend(next);
        }
        prop_assert_eq!(&seen, &list);
        prop_assert_eq!(waiting.len(), list.len());
    }
}
