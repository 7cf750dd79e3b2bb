import static com.rabbitmq.client.BuiltinExchangeType.DIRECT;
import static com.rabbitmq.client.BuiltinExchangeType.FANOUT;
import static com.rabbitmq.client.BuiltinExchangeType.HEADERS;
import static com.rabbitmq.client.BuiltinExchangeType.TOPIC;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.BuiltinExchangeType;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.ConfirmListener;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.MessageProperties;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.LinkedBlockingQueue;

/** What every client does: queues and exchanges, publishing and consuming. */
final class Core {
    private static final int CONFIRMED = 500;

    private Core() {}

    static void declare(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel channel = connection.createChannel();
            String name = run.queue("durable");
            Map<String, Object> arguments = Map.of("x-max-length", 10L, "x-message-ttl", 600_000);
            Map<BuiltinExchangeType, String> exchanges = new EnumMap<>(BuiltinExchangeType.class);
            for (BuiltinExchangeType type : BuiltinExchangeType.values()) {
                exchanges.put(type, run.exchange(type.getType()));
            }
            // The second time changes nothing.
            for (int time = 0; time < 2; time++) {
                AMQP.Queue.DeclareOk queue = channel.queueDeclare(name, true, false, false, arguments);
                Check.equal(List.of(queue.getQueue(), queue.getMessageCount(), queue.getConsumerCount()), List.of(name, 0, 0), "a declared queue");
                for (var each : exchanges.entrySet()) {
                    channel.exchangeDeclare(each.getValue(), each.getKey(), true);
                    channel.exchangeDeclarePassive(each.getValue());
                }
            }
            Check.closesChannel(AMQP.PRECONDITION_FAILED, "inequivalent arg 'x-max-length' for queue '" + name + "'", () ->
                connection.createChannel().queueDeclare(name, true, false, false, Map.of("x-max-length", 11L, "x-message-ttl", 600_000)));

            // Without arguments: exclusive, deleted with its last consumer, and named by the broker.
            String named = channel.queueDeclare().getQueue();
            Check.expect(named.startsWith("amq.gen-"), "a name of the broker's, got " + named);
            Inbox inbox = Inbox.of(channel, named, true);
            Check.send(channel, named, "one");
            Check.equal(inbox.nextBody("the message"), "one", "body");
            Check.equal(channel.consumerCount(named), 1L, "consumers");
            channel.basicCancel(inbox.tag);
            Check.closesChannel(AMQP.NOT_FOUND, "no queue '" + named + "'", () -> connection.createChannel().queueDeclarePassive(named));

            for (String exchange : exchanges.values()) {
                channel.exchangeDelete(exchange, true);
            }
            Check.send(channel, name, "left");
            Check.until("the message is in the queue", () -> channel.messageCount(name) == 1);
            Check.closesChannel(AMQP.PRECONDITION_FAILED, "not empty", () -> connection.createChannel().queueDelete(name, false, true));
            Check.equal(channel.queueDelete(name).getMessageCount(), 1, "messages in the deleted queue");
            Check.closesChannel(AMQP.NOT_FOUND, "no queue '" + name + "'", () -> connection.createChannel().queueDeclarePassive(name));
            Check.expect(connection.isOpen() && channel.isOpen(), "the errors went beyond their channels");
        }
    }

    static void bind(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel channel = connection.createChannel();
            String queue = run.declared(channel, "queue", null);
            Map<BuiltinExchangeType, String> exchanges = new EnumMap<>(BuiltinExchangeType.class);
            for (BuiltinExchangeType type : BuiltinExchangeType.values()) {
                exchanges.put(type, run.exchange(type.getType()));
                channel.exchangeDeclare(exchanges.get(type), type);
            }
            Map<String, Object> all = Map.of("x-match", "all", "format", "pdf", "pages", 3);
            channel.queueBind(queue, exchanges.get(DIRECT), "key");
            channel.queueBind(queue, exchanges.get(FANOUT), "");
            channel.queueBind(queue, exchanges.get(TOPIC), "*.orange.#");
            channel.queueBind(queue, exchanges.get(HEADERS), "", all);
            // Through another exchange, too.
            channel.exchangeBind(exchanges.get(DIRECT), exchanges.get(TOPIC), "through");
            channel.queueBind(queue, exchanges.get(DIRECT), "through");
            Check.equal(routed(channel, queue, exchanges), List.of("direct", "fanout", "topic", "through", "headers", "end"), "routed");
            channel.queueUnbind(queue, exchanges.get(DIRECT), "key");
            channel.queueUnbind(queue, exchanges.get(HEADERS), "", all);
            channel.exchangeUnbind(exchanges.get(DIRECT), exchanges.get(TOPIC), "through");
            Check.equal(routed(channel, queue, exchanges), List.of("fanout", "topic", "end"), "routed after the unbinds");
        }
    }

    private static List<String> routed(Channel channel, String queue, Map<BuiltinExchangeType, String> exchanges) throws Exception {
        publish(channel, exchanges.get(DIRECT), "key", "direct", null);
        publish(channel, exchanges.get(DIRECT), "other", "lost", null);
        publish(channel, exchanges.get(FANOUT), "anything", "fanout", null);
        publish(channel, exchanges.get(TOPIC), "quick.orange.fox.fast", "topic", null);
        publish(channel, exchanges.get(TOPIC), "orange", "lost", null);
        publish(channel, exchanges.get(TOPIC), "through", "through", null);
        publish(channel, exchanges.get(HEADERS), "", "headers", Map.of("format", "pdf", "pages", 3, "more", true));
        publish(channel, exchanges.get(HEADERS), "", "lost", Map.of("format", "pdf"));
        publish(channel, "", queue, "end", null);
        List<String> bodies = new ArrayList<>();
        while (!bodies.contains("end")) {
            bodies.add(Check.text(Check.taken(channel, queue).getBody()));
        }
        return bodies;
    }

    private static void publish(Channel channel, String exchange, String key, String body, Map<String, Object> headers) throws Exception {
        channel.basicPublish(exchange, key, new AMQP.BasicProperties.Builder().headers(headers).build(), Check.bytes(body));
    }

    static void confirmedPublish(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel channel = connection.createChannel();
            String queue = channel.queueDeclare(run.queue("queue"), true, false, false, null).getQueue();
            channel.confirmSelect();
            for (int number = 0; number < CONFIRMED; number++) {
                AMQP.BasicProperties properties = number % 2 == 0 ? MessageProperties.PERSISTENT_BASIC : MessageProperties.MINIMAL_BASIC;
                channel.basicPublish("", queue, properties, Check.bytes("" + number));
            }
            channel.waitForConfirmsOrDie(1000L * Check.WAIT_SECONDS);
            Check.equal(channel.messageCount(queue), (long) CONFIRMED, "messages");

            // The same with a listener, which is told of one message or of all until that one.
            var outstanding = new ConcurrentSkipListSet<Long>();
            BlockingQueue<String> wrong = new LinkedBlockingQueue<>();
            channel.addConfirmListener(new ConfirmListener() {
                @Override
                public void handleAck(long tag, boolean multiple) {
                    boolean known = outstanding.contains(tag);
                    if (!known) {
                        wrong.add("ack of " + tag + ", which is not outstanding");
                    }
                    if (multiple) {
                        outstanding.headSet(tag, true).clear();
                    } else {
                        outstanding.remove(tag);
                    }
                }

                @Override
                public void handleNack(long tag, boolean multiple) {
                    wrong.add("nack of " + tag);
                }
            });
            for (int number = 0; number < CONFIRMED; number++) {
                outstanding.add(channel.getNextPublishSeqNo());
                channel.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, Check.bytes("" + number));
            }
            Check.until("every message is confirmed", outstanding::isEmpty);
            Check.equal(List.copyOf(wrong), List.of(), "wrong confirms");
            Check.equal(channel.messageCount(queue), 2L * CONFIRMED, "messages");

            Channel rejected = connection.createChannel();
            String full = run.declared(rejected, "full", Map.of("x-max-length", 1, "x-overflow", "reject-publish"));
            rejected.confirmSelect();
            Check.send(rejected, full, "first");
            Check.expect(rejected.waitForConfirms(1000L * Check.WAIT_SECONDS), "the first message was not accepted");
            Check.send(rejected, full, "second");
            Check.expect(!rejected.waitForConfirms(1000L * Check.WAIT_SECONDS), "the second message was accepted");
        }
    }

    static void consumeAckPrefetch(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel channel = connection.createChannel();
            String queue = run.declared(channel, "queue", null);
            List<String> messages = Check.numbered("message", 10);
            for (String each : messages) {
                Check.send(channel, queue, each);
            }
            channel.basicQos(2);
            Inbox inbox = Inbox.of(channel, queue, false);
            List<Delivery> held = inbox.several(2);
            Check.equal(Inbox.bodies(held), messages.subList(0, 2), "the first two");
            // No more than two are on their way: the others are ready.
            Check.equal(channel.messageCount(queue), 8L, "ready messages");
            channel.basicAck(held.get(1).getEnvelope().getDeliveryTag(), true);
            held = inbox.several(2);
            Check.equal(Inbox.bodies(held), messages.subList(2, 4), "the next two");
            Check.equal(channel.messageCount(queue), 6L, "ready messages");
            channel.basicAck(held.get(0).getEnvelope().getDeliveryTag(), false);
            Check.equal(inbox.nextBody("the next one"), messages.get(4), "the next one");
            channel.close();

            Channel again = connection.createChannel();
            again.basicQos(2);
            inbox = Inbox.of(again, queue, false);
            for (int number = 3; number < messages.size(); number++) {
                Delivery delivery = inbox.next(messages.get(number));
                var envelope = delivery.getEnvelope();
                Check.equal(
                    List.of(Check.text(delivery.getBody()), envelope.isRedeliver(), envelope.getExchange(), envelope.getRoutingKey()),
                    List.of(messages.get(number), number < 5, "", queue), "a delivery");
                again.basicAck(envelope.getDeliveryTag(), false);
            }
            Check.equal(again.messageCount(queue), 0L, "ready messages");
        }
    }

    static void returned(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel channel = connection.createChannel();
            String queue = run.declared(channel, "queue", null);
            String nowhere = run.queue("nowhere");
            channel.confirmSelect();
            BlockingQueue<List<Object>> events = new LinkedBlockingQueue<>();
            channel.addReturnListener((code, text, exchange, key, properties, body) ->
                events.add(List.of("return", code, text, exchange, key, Check.text(body), properties.getMessageId(), properties.getHeaders().get("header"))));
            channel.addConfirmListener((tag, multiple) -> events.add(List.of("ack", tag)), (tag, multiple) -> events.add(List.of("nack", tag)));
            var properties = new AMQP.BasicProperties.Builder().messageId("id").headers(Map.of("header", 7)).build();
            channel.basicPublish("", queue, true, properties, Check.bytes("routable"));
            Check.equal(Check.next(events, "the first confirm"), List.of("ack", 1L), "the first confirm");
            channel.basicPublish("", nowhere, false, properties, Check.bytes("dropped"));
            Check.equal(Check.next(events, "the second confirm"), List.of("ack", 2L), "the second confirm");
            channel.basicPublish("", nowhere, true, properties, Check.bytes("returned"));
            Check.equal(Check.next(events, "the return"), List.of("return", 312, "NO_ROUTE", "", nowhere, "returned", "id", 7), "the return");
            Check.equal(Check.next(events, "the third confirm"), List.of("ack", 3L), "the third confirm");
            Check.equal(Check.drained(channel, queue), List.of("routable"), "messages that were routed");
        }
    }

    static void get(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel channel = connection.createChannel();
            String queue = run.declared(channel, "queue", null);
            Check.equal(channel.basicGet(queue, false), null, "a message of an empty queue");
            Check.send(channel, queue, "first");
            Check.send(channel, queue, "second");
            GetResponse got = channel.basicGet(queue, false);
            Check.equal(
                List.of(Check.text(got.getBody()), got.getMessageCount(), got.getEnvelope().isRedeliver()), List.of("first", 1, false), "first");
            channel.basicReject(got.getEnvelope().getDeliveryTag(), true);
            got = channel.basicGet(queue, false);
            Check.equal(
                List.of(Check.text(got.getBody()), got.getMessageCount(), got.getEnvelope().isRedeliver()), List.of("first", 1, true), "first again");
            channel.basicAck(got.getEnvelope().getDeliveryTag(), false);
            Check.equal(channel.queuePurge(queue).getMessageCount(), 1, "purged messages");
            Check.equal(Check.drained(channel, queue), List.of(), "messages after the purge");
        }
    }
}
