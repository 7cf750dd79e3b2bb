import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.GetResponse;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Messages that die, and what is written on them. */
final class DeadLetters {
    private static final int TTL_MILLISECONDS = 50;

    private DeadLetters() {}

    static void ttl(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel channel = connection.createChannel();
            String exchange = run.exchange("dead");
            channel.exchangeDeclare(exchange, "direct");
            String dead = run.declared(channel, "dead", null);
            channel.queueBind(dead, exchange, "gone");
            Map<String, Object> arguments = new HashMap<>(Map.of("x-dead-letter-exchange", exchange, "x-dead-letter-routing-key", "gone"));
            arguments.put("x-message-ttl", TTL_MILLISECONDS);
            String brief = run.declared(channel, "brief", arguments);
            arguments.remove("x-message-ttl");
            arguments.put("x-max-length", 1);
            String kept = run.declared(channel, "kept", arguments);

            Check.send(channel, brief, "expired");
            died(Check.taken(channel, dead), brief, "expired", null);
            var properties = new AMQP.BasicProperties.Builder().expiration("" + TTL_MILLISECONDS).build();
            channel.basicPublish("", kept, properties, Check.bytes("expired"));
            died(Check.taken(channel, dead), kept, "expired", "" + TTL_MILLISECONDS);
            Check.send(channel, kept, "rejected");
            channel.basicReject(channel.basicGet(kept, false).getEnvelope().getDeliveryTag(), false);
            died(Check.taken(channel, dead), kept, "rejected", null);
            Check.send(channel, kept, "maxlen");
            Check.send(channel, kept, "last");
            died(Check.taken(channel, dead), kept, "maxlen", null);
        }
    }

    private static void died(GetResponse message, String queue, String reason, String expiration) {
        Check.equal(Check.text(message.getBody()), reason, "body");
        Map<String, Object> headers = Properties.plain(message.getProps().getHeaders());
        List<?> deaths = (List<?>) headers.get("x-death");
        Check.equal(deaths.size(), 1, "deaths");
        Map<?, ?> death = (Map<?, ?>) deaths.get(0);
        Check.equal(
            List.of(death.get("queue"), death.get("reason"), death.get("count"), death.get("exchange"), death.get("routing-keys")),
            List.of(queue, reason, 1L, "", List.of(queue)), "the death");
        Check.equal(death.get("original-expiration"), expiration, "original-expiration");
        Check.equal(headers.get("x-first-death-queue"), queue, "x-first-death-queue");
        Check.equal(headers.get("x-first-death-reason"), reason, "x-first-death-reason");
        Check.equal(message.getProps().getExpiration(), null, "the expiration of a dead letter");
    }
}
