import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.Recoverable;
import com.rabbitmq.client.RecoveryListener;
import com.rabbitmq.client.ShutdownSignalException;
import com.rabbitmq.client.impl.recovery.AutorecoveringConnection;
import java.net.HttpURLConnection;
import java.net.URI;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** The library connects again by itself, and makes again what the connection had: channels, consumers, temporary queues. */
final class Recovery {
    private static final int RESTART_MILLISECONDS = 180_000;
    private static final int INTERVAL_MILLISECONDS = 100;
    private static final int MESSAGES = 50;
    private static final int PREFETCH = 10;

    private Recovery() {}

    static void restart(Run run) throws Exception {
        ConnectionFactory factory = run.factory(System.getenv("INTEROP_RESTART_URL"));
        factory.setAutomaticRecoveryEnabled(true);
        factory.setTopologyRecoveryEnabled(true);
        factory.setNetworkRecoveryInterval(INTERVAL_MILLISECONDS);
        try (Connection connection = factory.newConnection("recovering")) {
            new Recovery.Application(run, (AutorecoveringConnection) connection).run();
        }
    }

    /** What an application has: a durable queue, a temporary one, consumers of both, and a publisher that confirms. */
    private static final class Application {
        private final BlockingQueue<Boolean> recovered = new LinkedBlockingQueue<>();
        private final BlockingQueue<ShutdownSignalException> shutdowns = new LinkedBlockingQueue<>();
        private final BlockingQueue<List<String>> renamed = new LinkedBlockingQueue<>();
        private final Set<String> confirmed = new HashSet<>();
        private final Channel publishing;
        private final Channel consuming;
        private final String exchange;
        private final String queue;
        private final Inbox inbox;
        private final Inbox temporary;

        Application(Run run, AutorecoveringConnection connection) throws Exception {
            connection.addRecoveryListener(new RecoveryListener() {
                @Override
                public void handleRecovery(Recoverable which) {
                    recovered.add(true);
                }

                @Override
                public void handleRecoveryStarted(Recoverable which) {}
            });
            connection.addShutdownListener(shutdowns::add);
            connection.addQueueRecoveryListener((before, after) -> renamed.add(List.of(before, after)));
            publishing = connection.createChannel();
            publishing.confirmSelect();
            consuming = connection.createChannel();
            consuming.basicQos(PREFETCH);
            exchange = run.exchange("exchange");
            consuming.exchangeDeclare(exchange, "topic", false, true, null);
            queue = consuming.queueDeclare(run.queue("queue"), true, false, false, null).getQueue();
            consuming.queueBind(queue, exchange, "work.#");
            String named = consuming.queueDeclare().getQueue();
            consuming.queueBind(named, exchange, "event.#", Map.of("kept", "argument"));
            temporary = Inbox.of(consuming, named, true);
            inbox = Inbox.of(consuming, queue, false);
        }

        void run() throws Exception {
            restarted("kill");
            restarted("stop");
            Check.equal(publishing.messageCount(queue), 0L, "messages left");
            publishing.queueDelete(queue);
        }

        private void restarted(String how) throws Exception {
            publish("work.before", Check.numbered(how + " before", MESSAGES));
            // These are unacknowledged when the broker goes, the others ready.
            List<Delivery> held = inbox.several(PREFETCH);
            renamed.clear();
            Recovery.restartBroker(how);
            ShutdownSignalException signal = Check.next(shutdowns, "the shutdown of the connection");
            if (how.equals("stop")) {
                AMQP.Connection.Close close = (AMQP.Connection.Close) signal.getReason();
                Check.equal(close.getReplyCode(), AMQP.CONNECTION_FORCED, "code of " + close.getReplyText());
            }
            Check.next(recovered, "the recovery");

            // Tags of the old connection are not the broker's any more: the library keeps them to itself.
            consuming.basicAck(held.get(0).getEnvelope().getDeliveryTag(), true);
            publish("work.after", Check.numbered(how + " after", MESSAGES));
            Set<String> seen = new HashSet<>();
            while (!seen.containsAll(confirmed)) {
                Delivery delivery = inbox.next(confirmed.size() + " confirmed messages, of which came " + seen.size());
                seen.add(Check.text(delivery.getBody()));
                consuming.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
            }
            Check.equal(seen, confirmed, "the messages");
            confirmed.clear();

            // Its name was the broker's, so it has a new one, with the same binding and consumer.
            List<String> names = List.of();
            do {
                names = Check.next(renamed, "the temporary queue");
            } while (names.get(0).equals(queue));
            Check.expect(!names.get(0).equals(names.get(1)) && names.get(1).startsWith("amq.gen-"), "a new name, got " + names);
            publishing.basicPublish(exchange, "event." + how, null, Check.bytes(how));
            publishing.waitForConfirmsOrDie(1000L * Check.WAIT_SECONDS);
            Check.equal(temporary.nextBody("the event"), how, "the event");
            Check.equal(publishing.consumerCount(names.get(1)), 1L, "consumers of the temporary queue");
        }

        private void publish(String key, List<String> messages) throws Exception {
            for (String each : messages) {
                publishing.basicPublish(exchange, key, MessageProperties.PERSISTENT_BASIC, Check.bytes(each));
            }
            publishing.waitForConfirmsOrDie(1000L * Check.WAIT_SECONDS);
            confirmed.addAll(messages);
        }
    }

    /** Ends the broker and returns when it is back. */
    private static void restartBroker(String how) throws Exception {
        control("/restart?how=" + how);
    }

    private static void control(String what) throws Exception {
        URI control = URI.create(System.getenv("INTEROP_CONTROL") + what);
        HttpURLConnection request = (HttpURLConnection) control.toURL().openConnection();
        request.setRequestMethod("POST");
        request.setReadTimeout(RESTART_MILLISECONDS);
        Check.equal(request.getResponseCode(), HttpURLConnection.HTTP_NO_CONTENT, "the answer to " + what);
    }

    /** Who publishes during an alarm is told, and what it sends is confirmed afterwards; who consumes goes on. */
    static void blocked(Run run) throws Exception {
        ConnectionFactory factory = run.factory(System.getenv("INTEROP_RESTART_URL"));
        try (Connection publishing = factory.newConnection(); Connection consuming = factory.newConnection()) {
            BlockingQueue<String> notices = new LinkedBlockingQueue<>();
            publishing.addBlockedListener(notices::add, () -> notices.add("unblocked"));
            Channel channel = publishing.createChannel();
            Channel consumer = consuming.createChannel();
            String queue = run.declared(channel, "queue", null);
            channel.confirmSelect();
            Check.send(channel, queue, "before");
            channel.waitForConfirmsOrDie(1000L * Check.WAIT_SECONDS);
            long before = channel.getNextPublishSeqNo();
            control("/alarm?is=set");
            Check.until("the notice that publishers are blocked", () -> {
                Check.send(channel, queue, "waits");
                return !notices.isEmpty();
            });
            String reason = notices.take();
            Check.expect(reason.contains("disk"), "blocked because of the disk, got " + reason);
            Check.equal(Check.text(Check.taken(consumer, queue).getBody()), "before", "what is consumed meanwhile");
            Check.send(channel, queue, "last");
            control("/alarm?is=clear");
            Check.equal(Check.next(notices, "the notice that they are not"), "unblocked", "the notice");
            channel.waitForConfirmsOrDie(1000L * Check.WAIT_SECONDS);
            Check.equal(consumer.messageCount(queue), channel.getNextPublishSeqNo() - before, "messages");
            channel.queueDelete(queue);
        }
    }
}
