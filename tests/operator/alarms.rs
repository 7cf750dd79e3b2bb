//! Limits that an operator moves: publishers are blocked by them, and go on.

use futures_lite::StreamExt as _;
use futures_lite::future::zip;
use lapin::Event;
use leveret::alarm::Raised;
use leveret::config::{DiskLimit, MemoryLimit};

use crate::directory::TempDir;
use crate::lives::{Life, run};
use crate::running::{declare, publish, take_all};

#[test]
fn a_limit_of_free_space_that_no_disk_has_blocks_publishers_until_it_is_taken_back() {
    run(async {
        let data = TempDir::new();
        let life = Life::begin(data.path()).await;
        let mut events = Box::pin(life.connection.events_listener());
        declare(&life.channel, "q", None).await.unwrap();
        assert!(publish(&life.channel, "q", "a").await);
        life.broker.set_disk_free_limit(DiskLimit::Absolute(u64::MAX));
        let released = async {
            let told = events.next().await;
            assert!(
                matches!(&told, Some(Event::ConnectionBlocked(reason)) if reason == "low on disk"),
                "{told:?}"
            );
            let status = life.broker.alarm_status();
            assert_eq!(status.raised, Raised { memory: false, disk: true });
            assert_eq!((status.disk_free_limit, status.store), (u64::MAX, None));
            assert!(status.disk_free.is_some_and(|free| free > 0));
            life.broker.set_disk_free_limit(DiskLimit::Absolute(0));
            let told = events.next().await;
            assert!(matches!(told, Some(Event::ConnectionUnblocked)), "{told:?}");
        };
        // The alarm concerns who publishes while it is raised. What was read of the message before may be a part of it.
        let (taken, ()) = zip(publish(&life.channel, "q", "b"), released).await;
        assert!(taken);
        assert!(publish(&life.channel, "q", "c").await);
        assert_eq!(take_all(&life.channel, "q").await, ["a", "b", "c"]);
        life.broker.stop().await;
    });
}

#[test]
fn the_status_tells_the_limit_of_memory_that_was_set_last() {
    run(async {
        let data = TempDir::new();
        let life = Life::begin(data.path()).await;
        // Nothing is counted in a test's process.
        for (limit, bytes) in
            [(MemoryLimit::Absolute(5_000_000_000), 5_000_000_000), (MemoryLimit::Absolute(0), 0)]
        {
            life.broker.set_memory_limit(limit);
            let status = life.broker.alarm_status();
            assert_eq!((status.memory_limit, status.raised), (bytes, Raised::default()));
        }
        life.broker.stop().await;
    });
}
