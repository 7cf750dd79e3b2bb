//! What has a name only once it is there: jobs, and messages that wait for a time.

use serde_json::Value;

use crate::shell::Shell;

fn first(shell: &Shell, command: &str) -> String {
    let said = shell.run(command);
    let listed: Value =
        serde_json::from_str(&said.output).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    listed[0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_job_is_shown_and_followed_to_its_end() {
    let mut shell = Shell::new();
    for command in ["queues declare a", "queues declare b", "publish '' a x", "messages move a b --detach"] {
        let said = shell.run(&format!("leveret {command}"));
        assert_eq!(said.code, 0, "{command}: {said:?}");
    }
    let id = first(&shell, "leveret jobs ls -o json");
    shell.set("JOB", &id);
    shell.follow("jobs");
}

#[test]
fn a_scheduled_message_is_given_another_time_and_taken_back() {
    let mut shell = Shell::new();
    for command in
        ["queues declare later --arg x-scheduled=true", "publish '' later x --header x-delay=86400000"]
    {
        let said = shell.run(&format!("leveret {command}"));
        assert_eq!(said.code, 0, "{command}: {said:?}");
    }
    let list = "leveret messages scheduled ls later -o json";
    let id = first(&shell, list);
    let said = shell.run(&format!("leveret messages scheduled reschedule later {id} --in 1h"));
    assert_eq!(said.code, 0, "{said:?}");
    let moved = first(&shell, list);
    assert_ne!(moved, id);
    shell.set("SCHEDULED", &moved);
    shell.follow("scheduled");
}
