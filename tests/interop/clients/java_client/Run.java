import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** One run of one scenario: where the broker is, and names that nobody else uses. */
final class Run {
    private static final int CONNECT_MILLISECONDS = 60_000;

    private record Made(String kind, String name) {}

    private final String client;
    private final String scenario;
    private final List<Made> made = new ArrayList<>();

    Run(String client, String scenario) {
        this.client = client;
        this.scenario = scenario;
    }

    /** A new queue name, recorded so that the queue is deleted after the scenario. */
    String queue(String label) {
        return name("queue", label);
    }

    /** A new exchange name, recorded as a queue's is. */
    String exchange(String label) {
        return name("exchange", label);
    }

    private String name(String kind, String label) {
        return record(kind, "interop.%s.%s.%s.%s.%d".formatted(System.getenv("INTEROP_RUN"), client, scenario, label, made.size()));
    }

    /** An exchange of that name, which is a queue's already. */
    String exchangeOf(String queue) {
        return record("exchange", queue);
    }

    private String record(String kind, String name) {
        made.add(new Made(kind, name));
        String line = "{\"scenario\": \"%s\", \"kind\": \"%s\", \"name\": \"%s\"}%n".formatted(scenario, kind, name);
        try {
            Files.writeString(Path.of(System.getenv("INTEROP_NAMES")), line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException problem) {
            throw new AssertionError("the name cannot be recorded", problem);
        }
        return name;
    }

    /** How the broker is reached. Without recovery, which would hide what the broker did. */
    ConnectionFactory factory() throws Exception {
        return factory(System.getenv("INTEROP_URL"));
    }

    ConnectionFactory factory(String url) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(url);
        factory.setConnectionTimeout(CONNECT_MILLISECONDS);
        factory.setAutomaticRecoveryEnabled(false);
        return factory;
    }

    Connection connect() throws Exception {
        return factory().newConnection(scenario);
    }

    /** Makes an ordinary queue that outlives the connection and returns its name. */
    String declared(Channel channel, String label, Map<String, Object> arguments) throws IOException {
        return channel.queueDeclare(queue(label), false, false, false, arguments).getQueue();
    }

    /** Deletes what the run made: deleting what is gone already is no error. */
    void clean() throws Exception {
        if (made.isEmpty()) {
            return;
        }
        try (Connection connection = connect()) {
            Channel channel = connection.createChannel();
            for (Made each : made) {
                if (each.kind.equals("queue")) {
                    channel.queueDelete(each.name);
                } else {
                    channel.exchangeDelete(each.name);
                }
            }
        }
    }
}
