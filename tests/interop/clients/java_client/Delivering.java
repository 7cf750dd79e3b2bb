import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.ShutdownSignalException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** How messages come back, how far ahead they are sent, and what a consumer is told. */
final class Delivering {
    private static final int HEARTBEAT_SECONDS = 6;

    private Delivering() {}

    private static long seen(Channel channel, String queue, String body, boolean redelivered) throws Exception {
        GetResponse got = channel.basicGet(queue, false);
        Check.expect(got != null, "the queue is empty, expected " + body);
        Check.equal(List.of(Check.text(got.getBody()), got.getEnvelope().isRedeliver()), List.of(body, redelivered), "a message, and whether redelivered");
        return got.getEnvelope().getDeliveryTag();
    }

    static void nackRequeue(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel channel = connection.createChannel();
            String queue = run.declared(channel, "queue", null);
            for (String body : List.of("a", "b", "c")) {
                Check.send(channel, queue, body);
            }
            seen(channel, queue, "a", false);
            channel.basicNack(seen(channel, queue, "b", false), true, true);
            channel.basicReject(seen(channel, queue, "a", true), false);
            channel.basicNack(seen(channel, queue, "b", true), false, true);
            channel.basicAck(seen(channel, queue, "b", true), false);
            channel.basicNack(seen(channel, queue, "c", false), false, false);
            Check.equal(Check.drained(channel, queue), List.of(), "what is left");
        }
    }

    static void recover(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel channel = connection.createChannel();
            String queue = run.declared(channel, "queue", null);
            List<String> messages = Check.numbered("message", 3);
            Inbox inbox = Inbox.of(channel, queue, false);
            for (String each : messages) {
                Check.send(channel, queue, each);
            }
            List<Delivery> held = inbox.several(3);
            channel.basicAck(held.get(0).getEnvelope().getDeliveryTag(), false);
            channel.basicRecover(true);
            List<Delivery> again = inbox.several(2);
            Check.equal(Inbox.bodies(again), messages.subList(1, 3), "what was not acknowledged");
            for (Delivery each : again) {
                Check.expect(each.getEnvelope().isRedeliver(), "not marked as redelivered");
                channel.basicAck(each.getEnvelope().getDeliveryTag(), false);
            }
            Check.equal(channel.messageCount(queue), 0L, "messages left");
        }
    }

    /** With global the limit is the channel's, without it each new consumer's. */
    static void qosGlobal(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel channel = connection.createChannel();
            List<String> queues = new ArrayList<>();
            for (String label : List.of("first", "second")) {
                queues.add(run.declared(channel, label, null));
                for (String body : Check.numbered("message", 5)) {
                    Check.send(channel, queues.get(queues.size() - 1), body);
                }
            }
            channel.basicQos(2);
            channel.basicQos(3, true);
            Inbox first = Inbox.of(channel, queues.get(0), false);
            first.several(2);
            Check.equal(channel.messageCount(queues.get(0)), 3L, "ready where the consumer's limit holds");
            Inbox second = Inbox.of(channel, queues.get(1), false);
            second.several(1);
            Check.equal(channel.messageCount(queues.get(1)), 4L, "ready where the channel's limit holds");
            channel.basicQos(4, true);
            second.several(1);
            Check.equal(channel.messageCount(queues.get(1)), 3L, "ready where both hold");
        }
    }

    static void cancelNotify(Run run) throws Exception {
        try (Connection connection = run.connect(); Connection other = run.connect()) {
            Channel channel = connection.createChannel();
            String queue = run.declared(channel, "queue", null);
            Inbox inbox = Inbox.with(channel, queue, Map.of("x-priority", 5));
            Check.closesChannel(403, "in exclusive use", () -> Inbox.exclusive(other.createChannel(), queue));
            other.createChannel().queueDelete(queue);
            Check.equal(Check.next(inbox.cancelled, "the cancellation"), inbox.tag, "the consumer that was cancelled");
            // The channel is as good as before.
            channel.queueDeclare(queue, false, false, false, null);
            Check.equal(List.copyOf(inbox.shutdowns), List.of(), "shutdown signals");
        }
    }

    static void heartbeat(Run run) throws Exception {
        ConnectionFactory factory = run.factory();
        factory.setRequestedHeartbeat(HEARTBEAT_SECONDS);
        try (Connection connection = factory.newConnection()) {
            Check.equal(connection.getHeartbeat(), HEARTBEAT_SECONDS, "the heartbeat that was agreed on");
            BlockingQueue<ShutdownSignalException> signals = new LinkedBlockingQueue<>();
            connection.addShutdownListener(signals::add);
            Channel channel = connection.createChannel();
            String queue = run.declared(channel, "queue", null);
            // Being idle is what is tested: the library gives up a connection from which it misses two heartbeats.
            Check.equal(signals.poll(3L * HEARTBEAT_SECONDS, TimeUnit.SECONDS), null, "how the idle connection ended");
            Check.send(channel, queue, "still here");
            Check.equal(Check.drained(channel, queue), List.of("still here"), "bodies");
        }
    }
}
