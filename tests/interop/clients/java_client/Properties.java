import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.LongString;
import com.rabbitmq.client.impl.LongStringHelper;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Properties and headers of every type come back as they were sent. */
final class Properties {
    private Properties() {}

    static void everyType(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel channel = connection.createChannel();
            String queue = run.declared(channel, "queue", null);
            Date moment = new Date(1_700_000_000_000L);
            Map<String, Object> headers = new LinkedHashMap<>();
            headers.put("text", "grüße");
            headers.put("long text", LongStringHelper.asLongString("x".repeat(70_000)));
            headers.put("empty", "");
            headers.put("yes", true);
            headers.put("byte", (byte) -5);
            headers.put("short", (short) -300);
            headers.put("int", -70_000);
            headers.put("long", 1L << 40);
            headers.put("float", 0.5f);
            headers.put("double", 1.1);
            headers.put("decimal", new BigDecimal("12.34"));
            headers.put("moment", moment);
            headers.put("nothing", null);
            headers.put("bytes", new byte[] {0, (byte) 255});
            headers.put("list", Arrays.asList("a", 1, List.of(true, List.of(), new byte[] {1}), null, Map.of("deeper", List.of("bottom"))));
            headers.put("table", Map.of("inner", Map.of("innermost", Map.of("number", 1L)), "empty", Map.of()));
            AMQP.BasicProperties sent = new AMQP.BasicProperties.Builder()
                .contentType("application/json").contentEncoding("utf-8").headers(headers).deliveryMode(2).priority(9)
                .correlationId("correlation").replyTo("reply").expiration("600000").messageId("message").timestamp(moment)
                .type("type").userId(run.factory().getUsername()).appId("application").build();
            channel.basicPublish("", queue, sent, Check.bytes("{}"));
            GetResponse got = channel.basicGet(queue, true);
            Check.equal(Check.text(got.getBody()), "{}", "body");
            Check.equal(plain(got.getProps().getHeaders()), plain(headers), "headers");
            Check.equal(others(got.getProps()), others(sent), "the other properties");
            channel.basicPublish("", queue, null, new byte[0]);
            got = channel.basicGet(queue, true);
            Check.equal(got.getBody().length, 0, "length of an empty body");
            Check.equal(others(got.getProps()), others(new AMQP.BasicProperties()), "no properties");
            Check.equal(got.getProps().getHeaders(), null, "no headers");
        }
    }

    private static String others(AMQP.BasicProperties properties) {
        return properties.builder().headers(null).build().toString();
    }

    /** The same with values that can be compared: texts for long strings, lists for arrays of bytes. */
    static Map<String, Object> plain(Map<?, ?> table) {
        Map<String, Object> result = new HashMap<>();
        table.forEach((key, value) -> result.put((String) key, plainValue(value)));
        return result;
    }

    private static Object plainValue(Object value) {
        if (value instanceof LongString text) {
            return text.toString();
        }
        if (value instanceof Map<?, ?> table) {
            return plain(table);
        }
        if (value instanceof List<?> list) {
            List<Object> result = new ArrayList<>();
            list.forEach(each -> result.add(plainValue(each)));
            return result;
        }
        return value instanceof byte[] bytes ? Arrays.toString(bytes) : value;
    }
}
