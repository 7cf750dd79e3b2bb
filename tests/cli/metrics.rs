//! What Prometheus is told, read from the command line.

use serde_json::Value;

use crate::shell::Shell;

#[test]
fn metrics_are_shown_as_they_are_told_and_as_objects() {
    let shell = Shell::with(&["--metrics-listen", "127.0.0.1:0"]);
    for command in ["queues declare orders", "publish '' orders x"] {
        assert_eq!(shell.run(&format!("leveret {command}")).code, 0, "{command}");
    }
    for from in ["", "--url $URL"] {
        let said = shell.run(&format!("leveret metrics rabbitmq_queue_messages_ready {from}"));
        assert_eq!((said.code, said.error.as_str()), (0, ""), "{said:?}");
        assert!(said.output.contains("\nrabbitmq_queue_messages_ready 1\n"), "{}", said.output);
        assert!(said.output.lines().all(|line| line.contains("queue_messages_ready")), "{}", said.output);
    }
    let said = shell.run("leveret metrics --per-object rabbitmq_queue_messages_ready -o json");
    let rows: Value = serde_json::from_str(&said.output).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let of_queue = rows.as_array().unwrap().iter().find(|row| row["labels"]["queue"] == "orders");
    assert_eq!(of_queue.unwrap()["value"], 1.0);
    let said = shell.run("leveret metrics --family queue_coarse_metrics -p / -o csv");
    assert!(said.output.starts_with("name,labels,value\r\n") && said.output.contains("orders"), "{said:?}");
}

#[test]
fn a_broker_that_serves_no_metrics_is_said_to_be_so() {
    let said = Shell::with(&["--metrics-listen", "none"]).run("leveret metrics");
    assert_eq!(said.code, 69, "{said:?}");
    assert!(said.error.contains("metrics.listen"), "{said:?}");
}
