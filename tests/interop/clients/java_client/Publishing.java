import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

/** Large bodies, many channels, transactions, and methods without an answer. */
final class Publishing {
    /** The largest body that is accepted. */
    private static final int MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
    private static final int CHANNELS = 1000;

    private Publishing() {}

    static void message16mb(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            large(run, connection, MESSAGE_BYTES_MAX);
        }
    }

    private static void large(Run run, Connection connection, int length) throws Exception {
        Channel channel = connection.createChannel();
        String queue = run.declared(channel, "queue", null);
        byte[] body = new byte[length];
        new Random(20).nextBytes(body);
        channel.confirmSelect();
        channel.basicPublish("", queue, null, body);
        channel.waitForConfirmsOrDie(3000L * Check.WAIT_SECONDS);
        Delivery delivery = Inbox.of(channel, queue, true).next("the large message");
        Check.expect(Arrays.equals(delivery.getBody(), body), "the large body came back changed, " + delivery.getBody().length + " bytes");
    }

    static void channels1000(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            List<Channel> channels = new ArrayList<>();
            while (channels.size() < CHANNELS) {
                channels.add(connection.createChannel());
            }
            String queue = run.declared(channels.get(0), "queue", null);
            List<Inbox> inboxes = new ArrayList<>();
            for (Channel each : channels) {
                each.basicQos(1);
                inboxes.add(Inbox.of(each, queue, false));
            }
            for (Channel each : channels) {
                Check.send(each, queue, "" + each.getChannelNumber());
            }
            Set<String> bodies = new HashSet<>();
            for (int number = 0; number < CHANNELS; number++) {
                Delivery delivery = inboxes.get(number).next("a message on every channel");
                bodies.add(Check.text(delivery.getBody()));
                channels.get(number).basicAck(delivery.getEnvelope().getDeliveryTag(), false);
            }
            Check.equal(bodies.size(), CHANNELS, "distinct messages");
            for (Channel each : channels) {
                each.close();
            }
        }
    }

    static void transaction(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel witness = connection.createChannel();
            Channel channel = connection.createChannel();
            String queue = run.declared(witness, "queue", null);
            channel.txSelect();
            Check.send(channel, queue, "rolled back");
            channel.txRollback();
            Check.send(channel, queue, "committed");
            Check.equal(channel.messageCount(queue), 0L, "messages before the commit");
            channel.txCommit();
            Check.equal(witness.messageCount(queue), 1L, "messages after the commit");

            GetResponse got = channel.basicGet(queue, false);
            Check.equal(Check.text(got.getBody()), "committed", "body");
            // An acknowledgement that is rolled back leaves the message with the channel.
            channel.basicAck(got.getEnvelope().getDeliveryTag(), false);
            channel.txRollback();
            channel.basicRecover();
            got = channel.basicGet(queue, false);
            Check.expect(got.getEnvelope().isRedeliver(), "the message was not marked as redelivered");
            channel.basicAck(got.getEnvelope().getDeliveryTag(), false);
            channel.txCommit();
            channel.close();
            Check.equal(witness.messageCount(queue), 0L, "messages after the acknowledgement");
            Check.closesChannel(AMQP.PRECONDITION_FAILED, "cannot switch from tx to confirm mode", () -> {
                Channel both = connection.createChannel();
                both.txSelect();
                both.confirmSelect();
            });
        }
    }

    /** Methods that have no answer: what follows them must find them done. */
    static void noWait(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel channel = connection.createChannel();
            String queue = run.queue("queue");
            String first = run.exchange("first");
            String second = run.exchange("second");
            channel.queueDeclareNoWait(queue, false, false, false, null);
            channel.exchangeDeclareNoWait(first, "topic", false, false, false, null);
            channel.exchangeDeclareNoWait(second, "fanout", false, false, false, null);
            channel.exchangeBindNoWait(second, first, "#", null);
            channel.queueBindNoWait(queue, second, "", null);
            channel.basicPublish(first, "any", null, Check.bytes("body"));
            Check.equal(Check.text(Check.taken(channel, queue).getBody()), "body", "body");
            channel.exchangeUnbindNoWait(second, first, "#", null);
            channel.basicPublish(first, "any", null, Check.bytes("lost"));
            Check.equal(Check.drained(channel, queue), List.of(), "messages after the unbind");
            channel.queueDeleteNoWait(queue, false, false);
            channel.exchangeDeleteNoWait(first, false);
            channel.exchangeDeleteNoWait(second, false);
            Check.closesChannel(AMQP.NOT_FOUND, "no queue '" + queue + "'", () -> channel.queueDeclarePassive(queue));
        }
    }

    /** The library's other way to read and write, which takes frames apart itself. */
    static void nio(Run run) throws Exception {
        ConnectionFactory factory = run.factory();
        factory.useNio();
        try (Connection connection = factory.newConnection()) {
            large(run, connection, MESSAGE_BYTES_MAX / 4);
            Channel channel = connection.createChannel();
            String queue = run.declared(channel, "small", null);
            Inbox inbox = Inbox.of(channel, queue, true);
            List<String> messages = Check.numbered("message", 500);
            for (String each : messages) {
                Check.send(channel, queue, each);
            }
            Check.equal(Inbox.bodies(inbox.several(messages.size())), messages, "bodies");
        }
    }
}
