//! What an exchange with a memory gives to those who are bound to it.

use leveret_protocol::table::TableBuilder;

use super::*;
use crate::exchange::Routable;
use crate::message::Message;
use crate::vhost::routing::Found;

#[test]
fn who_is_bound_while_others_publish_gets_every_message_once() {
    const MESSAGES: usize = 20_000;
    const QUEUES: usize = 100;
    let vhost = Vhost::new(VhostName::from("/"));
    let arguments = TableBuilder::new().int("x-recent-history-length", 100_000).finish();
    let options = ExchangeOptions::parse("x-recent-history", arguments.as_table()).unwrap();
    vhost.exchange_declare(&ExchangeName::from("h"), options).unwrap();
    let queues: Vec<_> = (0..QUEUES)
        .map(|n| {
            let name = Some(QueueName::from(format!("q{n}")));
            vhost.queue_declare(name, &QueueOptions::default(), MINE).unwrap().queue
        })
        .collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let message = Message::compose("h", "", &[0, 0], b"body").unwrap();
            let routable = Routable { message: Some(&message), ..Routable::with_key("") };
            let mut found = Found::default();
            for _ in 0..MESSAGES {
                found.clear();
                vhost.route("h", &routable, &mut found).unwrap();
                for queue in found.queues() {
                    queue.publish(&mut vec![message.clone()], None).unwrap();
                }
            }
        });
        for queue in &queues {
            let destination = Destination::Queue(queue.name().as_str(), MINE);
            vhost.bind(&BindingEnds { destination, ..ends("h", "") }).unwrap();
        }
    });
    for queue in queues {
        assert_eq!(queue.status().unwrap().ready, MESSAGES, "{queue:?}");
    }
}
