import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.BuiltinExchangeType;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.MessageProperties;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** The exchanges and queues that two frameworks make, and the way of a message through them. */
final class Topologies {
    private static final int DELAY_MILLISECONDS = 50;

    private Topologies() {}

    /**
     * MassTransit: a fanout exchange for each type of message, bound to those of its base types and of the queues that
     * take it; a queue is fed by an exchange of its own name; what fails goes to NAME_error.
     */
    static void massTransit(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel channel = connection.createChannel();
            String derived = run.exchange("Contracts:OrderSubmitted");
            String base = run.exchange("Contracts:Event");
            String service = run.queue("order-service");
            String error = run.queue("order-service_error");
            String bus = run.queue("bus-endpoint");
            for (String exchange : List.of(derived, base)) {
                channel.exchangeDeclare(exchange, BuiltinExchangeType.FANOUT, true, false, null);
            }
            String toService = run.exchangeOf(service);
            channel.exchangeDeclare(toService, BuiltinExchangeType.FANOUT, true, true, null);
            channel.queueDeclare(service, true, false, false, null);
            channel.queueBind(service, toService, "");
            channel.exchangeBind(base, derived, "");
            channel.exchangeBind(toService, derived, "");
            channel.exchangeBind(toService, base, "");
            channel.queueDeclare(error, true, false, false, null);
            channel.queueDeclare(bus, false, false, true, Map.of("x-expires", 60_000));

            channel.basicQos(16);
            channel.confirmSelect();
            Inbox inbox = Inbox.of(channel, service, false);
            Map<String, Object> headers = Map.of("MT-Activity-Id", "1", "Content-Type", "application/vnd.masstransit+json");
            var properties = new AMQP.BasicProperties.Builder()
                .contentType("application/vnd.masstransit+json").deliveryMode(2).messageId("id").headers(headers).build();
            channel.basicPublish(derived, "", true, properties, Check.bytes("{}"));
            channel.waitForConfirmsOrDie(1000L * Check.WAIT_SECONDS);
            // Two ways lead to the queue, and it gets the message once.
            Delivery delivery = inbox.next("the message");
            Check.equal(channel.messageCount(service), 0L, "second copies");
            Check.equal(delivery.getEnvelope().getExchange(), derived, "the exchange that the message was published to");

            // The consumer failed: the message is moved, with the reason in its headers.
            Map<String, Object> fault = new HashMap<>(delivery.getProperties().getHeaders());
            fault.put("MT-Fault-Message", "it failed");
            channel.basicPublish("", error, true, delivery.getProperties().builder().headers(fault).build(), delivery.getBody());
            channel.waitForConfirmsOrDie(1000L * Check.WAIT_SECONDS);
            channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
            var moved = channel.basicGet(error, true);
            Check.equal(Properties.plain(moved.getProps().getHeaders()), Properties.plain(fault), "headers of the moved message");

            // Without the queue its own exchange, which is deleted with its last binding, goes as well.
            channel.queueDelete(service);
            Check.closesChannel(AMQP.NOT_FOUND, "no exchange '" + toService + "'", () -> connection.createChannel().exchangeDeclarePassive(toService));
        }
    }

    /**
     * Spring: a listener that retries by a queue whose messages come back when they expire, and gives up after x-death says
     * that it was enough; a publisher whose returns and confirms are told apart by a header.
     */
    static void spring(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel channel = connection.createChannel();
            String exchange = run.exchange("orders");
            String orders = run.queue("orders");
            String retry = run.queue("orders.retry");
            String parked = run.queue("orders.parked");
            channel.exchangeDeclare(exchange, BuiltinExchangeType.TOPIC, true);
            channel.queueDeclare(orders, true, false, false, Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", retry));
            channel.queueDeclare(retry, true, false, false, Map.of(
                "x-message-ttl", DELAY_MILLISECONDS, "x-dead-letter-exchange", "", "x-dead-letter-routing-key", orders));
            channel.queueDeclare(parked, true, false, false, Map.of("x-queue-mode", "lazy"));
            channel.queueBind(orders, exchange, "order.#");

            Channel publishing = connection.createChannel();
            publishing.confirmSelect();
            BlockingQueue<String> returned = new LinkedBlockingQueue<>();
            publishing.addReturnListener(message -> returned.add("" + message.getProperties().getHeaders().get("spring_returned_message_correlation")));
            for (String key : List.of("order.new", "nobody.listens")) {
                Map<String, Object> headers = Map.of(
                    "spring_listener_return_correlation", "listener", "spring_returned_message_correlation", key);
                var properties = MessageProperties.PERSISTENT_TEXT_PLAIN.builder().headers(headers).build();
                publishing.basicPublish(exchange, key, true, properties, Check.bytes("order"));
            }
            publishing.waitForConfirmsOrDie(1000L * Check.WAIT_SECONDS);
            Check.equal(List.copyOf(returned), List.of("nobody.listens"), "the return, which comes before the confirm");

            // The container looks for its queue, asks for so many messages, and consumes.
            channel.queueDeclarePassive(orders);
            channel.basicQos(250);
            Inbox inbox = Inbox.of(channel, orders, false);
            for (int attempt = 0; attempt < 3; attempt++) {
                Delivery delivery = inbox.next("attempt " + attempt);
                var headers = Properties.plain(delivery.getProperties().getHeaders());
                Check.equal(rejections(headers, orders), (long) attempt, "how often x-death says it was rejected");
                if (attempt < 2) {
                    channel.basicReject(delivery.getEnvelope().getDeliveryTag(), false);
                } else {
                    channel.basicPublish("", parked, delivery.getProperties(), delivery.getBody());
                    channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
                }
            }
            var headers = Properties.plain(Check.taken(channel, parked).getProps().getHeaders());
            Check.equal(((List<?>) headers.get("x-death")).size(), 2, "deaths of the parked message");
            Check.equal(headers.get("x-first-death-exchange"), exchange, "x-first-death-exchange");
        }
    }

    private static long rejections(Map<String, Object> headers, String queue) {
        if (!(headers.get("x-death") instanceof List<?> deaths)) {
            return 0;
        }
        return deaths.stream().map(death -> (Map<?, ?>) death)
            .filter(death -> queue.equals(death.get("queue")) && "rejected".equals(death.get("reason")))
            .mapToLong(death -> (long) death.get("count")).sum();
    }
}
