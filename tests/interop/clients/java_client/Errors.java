import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AlreadyClosedException;
import com.rabbitmq.client.AuthenticationFailureException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** What goes wrong for one channel or one connection, and stays there. */
final class Errors {
    private Errors() {}

    private interface Attempt {
        void on(Channel channel) throws Exception;
    }

    static void channelError(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel bystander = connection.createChannel();
            String absent = run.queue("absent");
            String queue = bystander.queueDeclare(run.queue("queue"), true, false, false, null).getQueue();
            Map<Attempt, List<Object>> attempts = new LinkedHashMap<>();
            attempts.put(channel -> channel.queueDeclarePassive(absent), List.of(404, "no queue '" + absent + "'"));
            attempts.put(channel -> channel.basicConsume(absent, true, (tag, message) -> {}, tag -> {}), List.of(404, "no queue '" + absent + "'"));
            attempts.put(channel -> channel.exchangeDeclarePassive(absent), List.of(404, "no exchange '" + absent + "'"));
            attempts.put(channel -> channel.exchangeBind("amq.fanout", absent, ""), List.of(404, "no exchange '" + absent + "'"));
            attempts.put(
                channel -> channel.queueDeclare(queue, false, false, false, null),
                List.of(406, "inequivalent arg 'durable' for queue '" + queue + "'"));
            attempts.put(
                channel -> channel.queueDeclare(queue, true, false, false, Map.of("x-message-ttl", "soon")), List.of(406, "x-message-ttl"));
            attempts.put(channel -> channel.exchangeDelete("amq.direct"), List.of(403, "amq.direct"));
            attempts.put(channel -> channel.queueDeclare("amq.mine", false, false, false, null), List.of(403, "reserved prefix"));
            for (var each : attempts.entrySet()) {
                Channel channel = connection.createChannel();
                Check.closesChannel((int) each.getValue().get(0), (String) each.getValue().get(1), () -> each.getKey().on(channel));
                Check.expect(!channel.isOpen(), "the channel is still open");
                Check.send(bystander, queue, "going on");
                Check.equal(Check.drained(bystander, queue), List.of("going on"), "bodies on the other channel");
            }
        }
    }

    /** Errors of what has no answer reach listeners, and the channel's consumers. */
    static void shutdownSignal(Run run) throws Exception {
        try (Connection connection = run.connect()) {
            Channel channel = connection.createChannel();
            String queue = run.declared(channel, "queue", null);
            String absent = run.exchange("absent");
            BlockingQueue<ShutdownSignalException> signals = new LinkedBlockingQueue<>();
            channel.addShutdownListener(signals::add);
            Inbox inbox = Inbox.of(channel, queue, false);
            channel.basicPublish(absent, "", null, new byte[0]);
            Check.channelClosed(Check.next(signals, "the listener's signal"), AMQP.NOT_FOUND, "no exchange '" + absent + "'");
            Check.channelClosed(Check.next(inbox.shutdowns, "the consumer's signal"), AMQP.NOT_FOUND, "no exchange '" + absent + "'");
            try {
                Check.send(channel, queue, "too late");
                throw new AssertionError("a publish on a closed channel");
            } catch (AlreadyClosedException expected) {
                Check.channelClosed(expected, AMQP.NOT_FOUND, absent);
            }

            Channel second = connection.createChannel();
            second.addShutdownListener(signals::add);
            second.basicAck(9, false);
            Check.channelClosed(Check.next(signals, "the signal of the ack"), AMQP.PRECONDITION_FAILED, "unknown delivery tag 9");
            Check.expect(connection.isOpen(), "the connection is closed");
        }
    }

    /** What ends the whole connection, and what ends it before it is open. */
    static void connectionError(Run run) throws Exception {
        Connection connection = run.connect();
        BlockingQueue<ShutdownSignalException> signals = new LinkedBlockingQueue<>();
        connection.addShutdownListener(signals::add);
        Channel channel = connection.createChannel();
        // The immediate flag is of the specification, and neither RabbitMQ nor Leveret has it.
        channel.basicPublish("", run.queue("nowhere"), false, true, null, new byte[0]);
        ShutdownSignalException signal = Check.next(signals, "the signal");
        Check.expect(signal.isHardError(), "an error of the connection: " + signal);
        AMQP.Connection.Close close = (AMQP.Connection.Close) signal.getReason();
        Check.equal(List.of(close.getReplyCode(), close.getClassId(), close.getMethodId()), List.of(540, 60, 40), "code, class and method");
        Check.expect(close.getReplyText().contains("immediate=true"), close.getReplyText());
        Check.until("the channel is closed", () -> !channel.isOpen());

        ConnectionFactory wrong = run.factory();
        wrong.setPassword("wrong");
        try {
            wrong.newConnection();
            throw new AssertionError("a login with a wrong password");
        } catch (AuthenticationFailureException expected) {
            Check.expect(expected.getMessage().contains("ACCESS_REFUSED"), expected.getMessage());
        }
        ConnectionFactory nowhere = run.factory();
        nowhere.setVirtualHost("nowhere");
        try {
            nowhere.newConnection();
            throw new AssertionError("a connection to an unknown virtual host");
        } catch (IOException expected) {
            String cause = "" + expected.getCause();
            Check.expect(cause.contains("530") && cause.contains("vhost nowhere not found"), cause);
        }
    }

    /** Aborting is closing without an error, whatever state the channel is in. */
    static void abort(Run run) throws Exception {
        Connection connection = run.connect();
        Channel channel = connection.createChannel();
        String queue = run.declared(channel, "queue", null);
        Check.send(channel, queue, "held");
        Check.equal(Inbox.of(channel, queue, false).nextBody("the message"), "held", "body");
        channel.abort();
        channel.abort();
        Check.expect(!channel.isOpen() && connection.isOpen(), "only the channel is closed");
        Channel next = connection.createChannel();
        Check.equal(Check.text(Check.taken(next, queue).getBody()), "held", "what the aborted channel held");
        connection.abort();
        connection.abort();
        Check.expect(!next.isOpen() && !connection.isOpen(), "everything is closed");
    }

    static void exclusiveQueue(Run run) throws Exception {
        try (Connection other = run.connect()) {
            String queue = run.queue("queue");
            try (Connection owner = run.connect()) {
                owner.createChannel().queueDeclare(queue, false, true, false, null);
                List<Attempt> attempts = List.of(
                    channel -> channel.queueDeclarePassive(queue),
                    channel -> channel.basicGet(queue, true),
                    channel -> channel.basicConsume(queue, true, (tag, message) -> {}, tag -> {}),
                    channel -> channel.queueBind(queue, "amq.fanout", ""),
                    channel -> channel.queueDelete(queue));
                for (Attempt each : attempts) {
                    Channel channel = other.createChannel();
                    Check.closesChannel(AMQP.RESOURCE_LOCKED, "exclusive access to locked queue '" + queue + "'", () -> each.on(channel));
                }
            }
            // It is gone with its owner.
            Check.closesChannel(AMQP.NOT_FOUND, "no queue '" + queue + "'", () -> other.createChannel().queueDeclarePassive(queue));
        }
    }
}
