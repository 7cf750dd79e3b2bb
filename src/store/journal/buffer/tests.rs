use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Enter,
    /// The ticket, as a share of those that are out; how many bytes are appended.
    Leave(usize, Option<usize>),
    CloseRound,
    NextFile,
    Take,
}

fn step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![0..100_usize, Just(COPIED_MAX_BYTES), Just(COPIED_MAX_BYTES + 1)];
    prop_oneof![
        6 => Just(Step::Enter),
        6 => (any::<usize>(), proptest::option::of(len)).prop_map(|(at, len)| Step::Leave(at, len)),
        1 => Just(Step::CloseRound),
        1 => Just(Step::NextFile),
        4 => Just(Step::Take),
    ]
}

proptest! {
    #[test]
    fn what_is_taken_has_growing_numbers_and_is_what_was_appended(steps in vec(step(), 1..200)) {
        let mut buffer = Buffer::new(JournalFile(1), Batch(1));
        let mut out: Vec<(Round, JournalFile)> = Vec::new();
        let mut rounds: Vec<(Round, Vec<Round>)> = Vec::new();
        let mut appended: Vec<(JournalFile, Batch, Vec<u8>)> = Vec::new();
        let mut writing = JournalFile(1);
        let (mut taken, mut numbers) = (Vec::new(), Vec::new());
        let mut fill = 0_u8;
        let last: [Step; 400] = std::array::from_fn(|at| if at % 2 == 0 { Step::Leave(0, None) } else { Step::Take });
        for step in steps.into_iter().chain(last) {
            match step {
                Step::Enter => {
                    let ticket = buffer.enter();
                    prop_assert_eq!(ticket.1, buffer.current_file());
                    out.push(ticket);
                }
                Step::Leave(..) if out.is_empty() => {}
                Step::Leave(at, len) => {
                    let (round, file) = out.swap_remove(at % out.len());
                    if let Some(len) = len {
                        fill = fill.wrapping_add(1);
                        let bytes = vec![fill; len];
                        let chunk = Chunk { len: u32::try_from(len).unwrap(), crc: u32::from(fill) };
                        let batch = buffer.append(file, chunk, bytes.clone(), fill.is_multiple_of(2));
                        appended.push((file, batch, bytes));
                    }
                    buffer.leave(round);
                }
                Step::CloseRound => {
                    let closed = buffer.close_round();
                    prop_assert_eq!(closed.is_none(), out.is_empty());
                    rounds.extend(closed.map(|round| (round, out.iter().map(|ticket| ticket.0).collect())));
                }
                // One file at a time is left, as the writer does it.
                Step::NextFile if buffer.current_file() == writing => buffer.begin_next_file(),
                Step::NextFile => {}
                Step::Take => {
                    if let Some(gathered) = buffer.take(writing) {
                        prop_assert_eq!(gathered.file, writing);
                        numbers.push(gathered.batch);
                        let mut slices = Vec::new();
                        gathered.slices(&mut slices);
                        let bytes = slices.concat();
                        prop_assert_eq!(bytes.len(), gathered.len);
                        let lens: usize = gathered.chunks.iter().map(|chunk| chunk.len as usize).sum();
                        prop_assert_eq!(lens, gathered.len);
                        taken.push((writing, gathered.batch, bytes));
                        buffer.recycle(gathered);
                    } else if buffer.is_past(writing) {
                        prop_assert!(out.iter().all(|(_, file)| *file > writing), "a ticket is still out");
                        writing = JournalFile(writing.0 + 1);
                    }
                }
            }
            for (round, tickets) in &rounds {
                let is_out = out.iter().any(|(ticket, _)| ticket.0 <= round.0);
                prop_assert_eq!(buffer.is_complete(*round), !is_out);
                prop_assert!(tickets.iter().all(|ticket| ticket.0 <= round.0));
            }
        }
        prop_assert!(buffer.is_empty() && out.is_empty());
        prop_assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
        // Batch by batch, the bytes of the groups in the order in which they were appended.
        for (file, batch, bytes) in taken {
            let expected: Vec<u8> = appended
                .iter()
                .filter(|appended| appended.1 == batch)
                .inspect(|appended| assert_eq!(appended.0, file))
                .flat_map(|appended| appended.2.clone())
                .collect();
            prop_assert_eq!(bytes, expected);
            appended.retain(|appended| appended.1 != batch);
        }
        prop_assert!(appended.is_empty(), "appended, and not taken: {appended:?}");
    }
}

#[test]
fn a_batch_has_a_bound_and_what_is_larger_has_one_of_its_own() {
    let mut buffer = Buffer::new(JournalFile(1), Batch(1));
    let mut append = |len: usize| {
        let (round, file) = buffer.enter();
        let chunk = Chunk { len: u32::try_from(len).unwrap(), crc: 0 };
        let batch = buffer.append(file, chunk, vec![0; len], true);
        buffer.leave(round);
        batch.0
    };
    let half = BATCH_MAX_BYTES / 2;
    let batches = [half, half, 1, 10, BATCH_MAX_BYTES + 1, 1].map(&mut append);
    assert_eq!(batches, [1, 1, 2, 2, 3, 4]);
}

#[test]
fn emptied_buffers_are_used_again_and_bounded() {
    let mut buffer = Buffer::new(JournalFile(1), Batch(1));
    assert_eq!(buffer.take_room().capacity(), 0);
    for _ in 0..100 {
        buffer.give_room(vec![1; 256 * 1024]);
    }
    buffer.give_room(vec![1; 100 * 1024 * 1024]);
    let rooms: Vec<_> =
        std::iter::repeat_with(|| buffer.take_room()).take_while(|room| room.capacity() > 0).collect();
    assert_eq!(rooms.len(), ROOMS_MAX_BYTES / (256 * 1024));
    assert!(rooms.iter().all(Vec::is_empty));
    assert_eq!(buffer.rooms_bytes, 0);
}
