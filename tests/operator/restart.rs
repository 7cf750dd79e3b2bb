//! What an operator has set is there again after a restart, and after a broker was killed.

use leveret::policy::{Component, PolicyKind};
use leveret_protocol::table::TableBuilder;
use serde_json::json;

use crate::directory::TempDir;
use crate::lives::{Life, run};
use crate::running::{declare, publish, take_all};

#[test]
fn policies_parameters_pauses_and_changes_outlive_the_broker() {
    for killed in [false, true] {
        run(async move {
            let (data, copy) = (TempDir::new(), TempDir::new());
            let life = Life::begin(data.path()).await;
            for queue in ["q", "paused", "resumed"] {
                declare(&life.channel, queue, Some(("x-max-length", 50))).await.unwrap();
            }
            life.set_policy(PolicyKind::User, "gone", "", &json!({"max-length": 1}));
            life.wait(life.vhost.clear_policy(PolicyKind::User, "gone").unwrap());
            life.set_policy(PolicyKind::User, "p", "^q", &json!({"message-ttl": 600_000}));
            life.set_policy(PolicyKind::Operator, "op", "^(?!x)", &json!({"max-length-bytes": 700}));
            life.set_policy(PolicyKind::User, "ae", "^amq\\.direct$", &json!({"alternate-exchange": "a"}));
            life.wait(life.vhost.pause_queue("paused").unwrap());
            life.wait(life.vhost.pause_queue("resumed").unwrap());
            life.wait(life.vhost.resume_queue("resumed").unwrap());
            let longer = TableBuilder::new().int("x-max-length", 60).finish();
            life.wait(life.vhost.change_queue("q", longer).unwrap());
            let shovel = json!({"src-uri": "amqp://", "prefetch": 1.5});
            life.wait(life.vhost.set_parameter(&Component::Shovel, "s", shovel.clone()).unwrap());
            let parameters = life.broker.vhosts().global_parameters();
            life.wait(parameters.set("gone", json!(1)));
            life.wait(parameters.clear("gone").unwrap());
            life.wait(parameters.set("cluster", json!({"a": [1, 2.5, null]})));
            for queue in ["q", "paused"] {
                assert!(publish(&life.channel, queue, "kept").await);
            }

            let after = if killed {
                life.after_a_kill(data.path(), copy.path()).await
            } else {
                life.restarted(data.path()).await
            };
            let queue = |name| after.vhost.queues().get(name).unwrap();
            let names = |kind| {
                let policies = after.vhost.policies();
                policies.of(kind).iter().map(|policy| policy.name.to_string()).collect::<Vec<_>>()
            };
            assert_eq!(names(PolicyKind::User), ["ae", "p"]);
            assert_eq!(names(PolicyKind::Operator), ["op"]);
            let terms = queue("q").terms().unwrap();
            assert_eq!(terms.max_length, Some(60));
            assert_eq!(terms.message_ttl.unwrap().as_secs(), 600);
            assert_eq!(terms.max_length_bytes, Some(700));
            let exchange = after.vhost.exchanges().get("amq.direct").unwrap();
            assert_eq!(exchange.alternate_exchange(), Some("a".into()));
            assert_eq!(after.vhost.parameter(&Component::Shovel, "s"), Some(shovel));
            let parameters = after.broker.vhosts().global_parameters();
            assert_eq!(parameters.all(), [("cluster".into(), json!({"a": [1, 2.5, null]}))]);
            let paused = ["q", "paused", "resumed"].map(|name| queue(name).is_paused().unwrap());
            assert_eq!(paused, [false, true, false]);

            declare(&after.channel, "q", Some(("x-max-length", 60))).await.unwrap();
            assert_eq!(take_all(&after.channel, "q").await, ["kept"]);
            assert_eq!(take_all(&after.channel, "paused").await, [""; 0]);
            after.wait(after.vhost.resume_queue("paused").unwrap());
            assert_eq!(take_all(&after.channel, "paused").await, ["kept"]);
            after.broker.stop().await;
        });
    }
}
