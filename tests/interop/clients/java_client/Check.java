import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.Method;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/** What the scenarios expect, how they wait, and the calls that most of them make. */
final class Check {
    static final int WAIT_SECONDS = 60;
    private static final int POLL_MILLISECONDS = 20;

    private Check() {}

    /** A call of the library. */
    interface Call {
        void run() throws Exception;
    }

    static void expect(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object got, Object wanted, String what) {
        expect(Objects.equals(got, wanted), what + ": got " + got + ", expected " + wanted);
    }

    /** Waits for what another thread or the broker brings about. */
    static void until(String what, Callable<Boolean> condition) throws Exception {
        long ends = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_SECONDS);
        while (!condition.call()) {
            expect(System.nanoTime() < ends, "not within " + WAIT_SECONDS + " seconds: " + what);
            Thread.sleep(POLL_MILLISECONDS);
        }
    }

    /** Takes one value that another thread puts there. */
    static <T> T next(BlockingQueue<T> values, String what) throws InterruptedException {
        T value = values.poll(WAIT_SECONDS, TimeUnit.SECONDS);
        expect(value != null, "not within " + WAIT_SECONDS + " seconds: " + what);
        return value;
    }

    static <T> List<T> several(BlockingQueue<T> values, int count, String what) throws InterruptedException {
        List<T> taken = new ArrayList<>();
        while (taken.size() < count) {
            taken.add(next(values, what + ", " + (taken.size() + 1) + " of " + count));
        }
        return taken;
    }

    /** Expects that the call ends its channel, with that code and a text that has the reason in it. */
    static void closesChannel(int code, String reason, Call call) throws Exception {
        ShutdownSignalException signal = null;
        try {
            call.run();
        } catch (IOException problem) {
            signal = problem.getCause() instanceof ShutdownSignalException cause ? cause : null;
        } catch (ShutdownSignalException problem) {
            signal = problem;
        }
        expect(signal != null, "expected " + code + " " + reason);
        channelClosed(signal, code, reason);
    }

    static void channelClosed(ShutdownSignalException signal, int code, String reason) {
        Method method = signal.getReason();
        expect(method instanceof AMQP.Channel.Close, "not closed by the broker: " + signal);
        AMQP.Channel.Close close = (AMQP.Channel.Close) method;
        equal(close.getReplyCode(), code, "code of " + close.getReplyText());
        expect(close.getReplyText().contains(reason), "'" + reason + "' is missing from " + close.getReplyText());
        expect(!signal.isHardError() && !signal.isInitiatedByApplication(), "an error of the channel: " + signal);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    static List<String> numbered(String prefix, int count) {
        return IntStream.range(0, count).mapToObj(number -> prefix + " " + number).toList();
    }

    static void send(Channel channel, String queue, String body) throws IOException {
        channel.basicPublish("", queue, null, bytes(body));
    }

    /** Gets what is in the queue. */
    static List<String> drained(Channel channel, String queue) throws IOException {
        List<String> bodies = new ArrayList<>();
        for (GetResponse got = channel.basicGet(queue, true); got != null; got = channel.basicGet(queue, true)) {
            bodies.add(text(got.getBody()));
        }
        return bodies;
    }

    /** Gets one message that may still be on its way. */
    static GetResponse taken(Channel channel, String queue) throws Exception {
        List<GetResponse> got = new ArrayList<>();
        until("a message in " + queue, () -> {
            GetResponse message = channel.basicGet(queue, true);
            return message != null && got.add(message);
        });
        return got.get(0);
    }
}
