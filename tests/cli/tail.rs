//! A queue that is followed while messages come.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};

use crate::shell::Shell;
use crate::support::raw::DEADLINE;

struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn start(shell: &Shell, flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_leveret"));
        command.args(["tail", "orders", "--data-dir"]).arg(shell.broker.data_dir()).args(flags);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(100);
        std::thread::spawn(move || {
            let mut lines = output.lines().map_while(Result::ok);
            lines.try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    #[track_caller]
    fn expect(&self, expected: &str) {
        assert_eq!(self.lines.recv_timeout(DEADLINE).unwrap(), expected);
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn messages_are_shown_as_they_come_and_stay_where_they_are() {
    let shell = Shell::new();
    let run = |command: &str| {
        let said = shell.run(&format!("leveret {command}"));
        assert_eq!(said.code, 0, "{command}: {said:?}");
        said.output
    };
    run("queues declare orders --arg x-max-priority=2");
    run("publish '' orders zero");
    run("publish '' orders one --property priority=1");
    // What is there already tells that it has begun.
    let following = Following::start(&shell, &["-n", "1", "--interval", "0.05"]);
    following.expect("1\t\torders\tone");
    run("publish '' orders two --property priority=2");
    following.expect("2\t\torders\ttwo");
    // What is below what was shown already is new all the same.
    run("publish '' orders 'th\tree'");
    following.expect("3\t\torders\tth\\tree");
    assert_eq!(
        run("queues show orders --columns messages_ready,consumers"),
        "messages_ready\t4\nconsumers\t0\n"
    );
}
