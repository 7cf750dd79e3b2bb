import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;

/** A consumer whose deliveries, cancellations and shutdown signals wait to be taken. */
final class Inbox {
    final BlockingQueue<Delivery> deliveries = new LinkedBlockingQueue<>();
    final BlockingQueue<String> cancelled = new LinkedBlockingQueue<>();
    final BlockingQueue<ShutdownSignalException> shutdowns = new LinkedBlockingQueue<>();
    final String tag;

    private Inbox(Channel channel, String queue, boolean autoAck, boolean exclusive, Map<String, Object> arguments) throws IOException {
        tag = channel.basicConsume(
            queue, autoAck, "", false, exclusive, arguments,
            (consumer, delivery) -> deliveries.add(delivery), cancelled::add, (consumer, signal) -> shutdowns.add(signal));
    }

    static Inbox of(Channel channel, String queue, boolean autoAck) throws IOException {
        return new Inbox(channel, queue, autoAck, false, Map.of());
    }

    static Inbox exclusive(Channel channel, String queue) throws IOException {
        return new Inbox(channel, queue, false, true, Map.of());
    }

    static Inbox with(Channel channel, String queue, Map<String, Object> arguments) throws IOException {
        return new Inbox(channel, queue, false, false, arguments);
    }

    Delivery next(String what) throws InterruptedException {
        return Check.next(deliveries, what);
    }

    String nextBody(String what) throws InterruptedException {
        return Check.text(next(what).getBody());
    }

    List<Delivery> several(int count) throws InterruptedException {
        return Check.several(deliveries, count, "a delivery");
    }

    static List<String> bodies(List<Delivery> deliveries) {
        return deliveries.stream().map(delivery -> Check.text(delivery.getBody())).toList();
    }
}
