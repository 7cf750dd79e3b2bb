//! A first start that the power cuts short. What a broker has from the start is made again as far as it is missing, so that its
//! default user can always do something.

use std::fs::{self, File};

use crate::lives::{Death, Lives, files};
use crate::support::{Broker, Raw, TempDir};

#[test]
fn wherever_a_first_start_is_cut_short_the_next_one_has_its_user_and_virtual_host() {
    let mut lives = Lives::new(&[]);
    lives.end(Death::Kill);
    let journal = lives.data().join("journal/1");
    let bytes = fs::read(&journal).unwrap();
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64;
    for cut in (0..=used).step_by(4096) {
        let data = TempDir::new();
        for (path, _) in files(lives.data()) {
            let name = path.strip_prefix(lives.data()).unwrap();
            // The journal alone, as before the definitions followed it.
            if name.starts_with("journal") || name == "format" {
                fs::create_dir_all(data.path().join(name).parent().unwrap()).unwrap();
                fs::copy(&path, data.path().join(name)).unwrap();
            }
        }
        let file = File::options().write(true).open(data.path().join("journal/1")).unwrap();
        file.set_len(cut).unwrap();
        file.set_len(bytes.len() as u64).unwrap();
        let broker = Broker::start_on(data.path(), &[] as &[&str]);
        Raw::connect(&broker).open_channel(1);
    }
}
