//! What is done to valid sessions.

use super::session::Script;

/// Numbers that are the same in every run: splitmix64.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    /// The length of the next piece of `length` bytes: mostly all, sometimes a few, at times one.
    pub(super) fn cut(&mut self, length: usize) -> usize {
        match self.below(8) {
            0 => 1,
            1 | 2 => length.min(1 + self.below(40)),
            3 => length.min(1 + self.below(4096)),
            _ => length,
        }
    }

    fn byte(&mut self) -> u8 {
        // Corners come more often than chance would have them.
        const CORNERS: [u8; 12] = [0, 1, 2, 3, 8, 10, 20, 60, 127, 128, 206, 255];
        if self.below(2) == 0 { CORNERS[self.below(CORNERS.len())] } else { self.next().to_be_bytes()[0] }
    }
}

/// Frames of the handshake, with the protocol header; they stay as they are in most sessions, since what follows is
/// seen by nobody otherwise.
const HANDSHAKE: usize = 4;

/// One session, with a few things wrong.
pub(super) fn mutate(sessions: &[Script], random: &mut Random) -> Vec<u8> {
    let mut script = sessions[random.below(sessions.len())].clone();
    if random.below(3) == 0 {
        interleave(&mut script, &sessions[random.below(sessions.len())], random);
    }
    let spared = if random.below(8) == 0 { 0 } else { HANDSHAKE };
    for _ in 0..=random.below(6) {
        if script.len() > spared {
            mutate_frame(&mut script, spared, random);
        }
    }
    let mut bytes = script.concat();
    if random.below(8) == 0 {
        bytes.truncate(random.below(bytes.len()));
    }
    bytes
}

/// Frames of another session, in their order, among those of the first.
fn interleave(script: &mut Script, other: &Script, random: &mut Random) {
    let mut at = HANDSHAKE;
    for frame in &other[HANDSHAKE..] {
        at += random.below(script.len() - at + 1).min(3);
        script.insert(at, frame.clone());
        at += 1;
    }
}

fn mutate_frame(script: &mut Script, spared: usize, random: &mut Random) {
    let at = spared + random.below(script.len() - spared);
    let other = spared + random.below(script.len() - spared);
    let frame = &mut script[at];
    let length = frame.len();
    match random.below(14) {
        0 if length > 0 => frame[random.below(length)] ^= 1 << random.below(8),
        1 if length > 0 => frame[random.below(length)] = random.byte(),
        2 => frame.truncate(random.below(length + 1)),
        3 => frame.insert(random.below(length + 1), random.byte()),
        4 => script.swap(at, other),
        5 => drop(script.remove(at)),
        6 => script.insert(at, script[at].clone()),
        7 => {
            let copies = vec![script[at].clone(); 1 + random.below(200)];
            script.splice(at..at, copies);
        }
        // A channel: one that is open, the connection's, any.
        8 if length > 2 => {
            let channel = [0, 1, 2, 3, 2047, 65_535, random.next().to_be_bytes()[0].into()][random.below(7)];
            frame[1..3].copy_from_slice(&u16::to_be_bytes(channel));
        }
        // A length: a little wrong, or very.
        9 if length > 7 => {
            let size = u32::try_from(length - 8).unwrap_or_default();
            let sizes = [0, 1, size.wrapping_sub(1), size + 1, 131_064, 131_065, 0x7fff_ffff, u32::MAX];
            frame[3..7].copy_from_slice(&sizes[random.below(sizes.len())].to_be_bytes());
        }
        // The payload longer or shorter with a length that says so, so that only its content is wrong.
        10 if length > 8 => {
            let payload = random.below(length - 8);
            frame.drain(7 + payload..length - 1);
            resize(frame);
        }
        11 if length > 8 => {
            let end = frame.len() - 1;
            let more: Vec<u8> = (0..=random.below(64)).map(|_| random.byte()).collect();
            frame.splice(end..end, more);
            resize(frame);
        }
        // Class and method of another.
        12 if length > 11 => frame[7..11].copy_from_slice(&[0, random.byte(), 0, random.byte()]),
        _ => {
            let noise: Vec<u8> = (0..random.below(64)).map(|_| random.byte()).collect();
            script.insert(at, noise);
        }
    }
}

/// The length in the head of a frame as it is.
fn resize(frame: &mut [u8]) {
    let size = u32::try_from(frame.len() - 8).unwrap();
    frame[3..7].copy_from_slice(&size.to_be_bytes());
}
