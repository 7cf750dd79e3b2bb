//! Tests of the ready messages by themselves.

use super::*;

fn message(body: &[u8]) -> Message {
    Message::compose("exchange", "key", &[0, 0], body).unwrap()
}

fn drain(ready: &mut Ready) -> Vec<(u64, Vec<u8>)> {
    std::iter::from_fn(|| ready.pop())
        .map(|entry| (entry.position.0, entry.message.body().to_vec()))
        .collect()
}

#[test]
fn messages_leave_in_order_whatever_their_size() {
    let mut ready = Ready::default();
    let bodies =
        [vec![1; 3], vec![2; PACKED_MAX_BYTES + 1], vec![], vec![3; PACKED_MAX_BYTES - 100], vec![4; 700]];
    for (position, body) in bodies.iter().enumerate() {
        ready.push(Position(position as u64), message(body), Home::Transient);
    }
    assert_eq!(ready.len(), bodies.len());
    let expected: Vec<_> = bodies.iter().enumerate().map(|(at, body)| (at as u64, body.clone())).collect();
    assert_eq!(drain(&mut ready), expected);
    assert_eq!((ready.len(), ready.bytes()), (0, 0));
}

#[test]
fn a_returned_message_takes_its_old_place() {
    let mut ready = Ready::default();
    for position in 0..5 {
        ready.push(Position(position), message(&[u8::try_from(position).unwrap()]), Home::Transient);
    }
    let taken: Vec<Entry> = (0..3).filter_map(|_| ready.pop()).collect();
    ready.give_back(taken[1].clone());
    assert_eq!(ready.pop().unwrap().position, Position(1));
    for entry in taken {
        ready.give_back(entry);
    }
    let order: Vec<u64> = drain(&mut ready).into_iter().map(|(position, _)| position).collect();
    assert_eq!(order, [0, 1, 2, 3, 4]);
}

#[test]
fn a_gap_in_the_positions_starts_a_new_block() {
    let mut ready = Ready::default();
    for position in [0, 1, 7, 8, 20] {
        ready.push(Position(position), message(b"x"), Home::Transient);
    }
    let order: Vec<u64> = drain(&mut ready).into_iter().map(|(position, _)| position).collect();
    assert_eq!(order, [0, 1, 7, 8, 20]);
}
