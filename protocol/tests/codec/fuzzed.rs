//! The bodies of the fuzz targets, over saved inputs and over seeded mutations of them.

use std::fs;
use std::path::Path;

use crate::bodies;

const ROUNDS: usize = 20_000;

/// The saved inputs of a target, by name, so that a run repeats.
fn saved(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/inputs").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no input for {target}");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A generator whose sequence never changes (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap()
    }

    fn octet(&mut self) -> u8 {
        const TELLING: &[u8] = b"\x00\x01\x02\x03\x08\x0a\x3c\x28\x50\x7f\x80\xce\xffSAFVxltI";
        if self.below(2) == 0 {
            TELLING[self.below(TELLING.len())]
        } else {
            u8::try_from(self.below(256)).unwrap()
        }
    }

    fn mutate(&mut self, data: &mut Vec<u8>) {
        let position = self.below(data.len() + 1);
        let octet = self.octet();
        match self.below(6) {
            0 if position < data.len() => data[position] = octet,
            1 if position < data.len() => data[position] ^= 1 << self.below(8),
            2 => data.insert(position, octet),
            3 if position < data.len() => drop(data.remove(position)),
            4 => data.truncate(position),
            _ => {
                let copied = data[position..].iter().copied().take(self.below(64)).collect::<Vec<_>>();
                data.splice(position..position, copied);
            }
        }
    }
}

fn run(target: &str, body: fn(&[u8])) {
    let inputs = saved(target);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for input in &inputs {
        body(input);
    }
    for _ in 0..ROUNDS {
        let mut data = inputs[random.below(inputs.len())].clone();
        for _ in 0..=random.below(4) {
            random.mutate(&mut data);
        }
        body(&data);
    }
}

#[test]
fn no_stream_of_frames_breaks_the_decoder() {
    run("frames", bodies::frames);
}

#[test]
fn no_table_breaks_the_validation() {
    run("tables", bodies::tables);
}

#[test]
fn no_properties_break_the_validation() {
    run("properties", bodies::properties);
}
