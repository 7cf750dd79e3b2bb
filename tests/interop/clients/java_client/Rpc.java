import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.RpcClient;
import com.rabbitmq.client.RpcServer;
import com.rabbitmq.client.ShutdownSignalException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The library's classes for calls, over direct reply-to, which is their default, and over a queue. */
final class Rpc {
    private static final int CALLS = 8;
    private static final int SILENCE_MILLISECONDS = 200;

    private Rpc() {}

    /** Answers what it is asked, and notes where the answer goes. */
    private static final class Server extends RpcServer {
        private final BlockingQueue<String> addresses = new LinkedBlockingQueue<>();

        Server(Channel channel, String queue) throws Exception {
            super(channel, queue);
        }

        @Override
        public byte[] handleCall(Delivery request, AMQP.BasicProperties answer) {
            addresses.add(request.getProperties().getReplyTo());
            return Check.bytes("answer to " + Check.text(request.getBody()));
        }
    }

    static void replyTo(Run run) throws Exception {
        calls(run, null);
        try (Connection connection = run.connect()) {
            // Only who consumes from it may name it.
            Channel channel = connection.createChannel();
            BlockingQueue<ShutdownSignalException> signals = new LinkedBlockingQueue<>();
            channel.addShutdownListener(signals::add);
            var properties = new AMQP.BasicProperties.Builder().replyTo("amq.rabbitmq.reply-to").build();
            channel.basicPublish("", "", properties, new byte[0]);
            Check.channelClosed(Check.next(signals, "the error"), AMQP.PRECONDITION_FAILED, "fast reply consumer does not exist");
        }
    }

    static void throughQueue(Run run) throws Exception {
        calls(run, run.queue("replies"));
    }

    private static void calls(Run run, String replies) throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool();
        try (Connection serving = run.connect(); Connection calling = run.connect()) {
            Channel channel = serving.createChannel();
            String queue = run.declared(channel, "rpc_queue", null);
            Server server = new Server(channel, queue);
            Future<ShutdownSignalException> loop = threads.submit(server::mainloop);
            Channel asking = calling.createChannel();
            if (replies != null) {
                asking.queueDeclare(replies, false, true, true, null);
            }
            int timeout = 1000 * Check.WAIT_SECONDS;
            RpcClient client = replies == null
                ? new RpcClient(asking, "", queue, timeout)
                : new RpcClient(asking, "", queue, replies, timeout);

            // Several at once, told apart by their correlation ids.
            List<Callable<String>> questions = new ArrayList<>();
            List<String> wanted = new ArrayList<>();
            for (String question : Check.numbered("question", CALLS)) {
                questions.add(() -> client.stringCall(question));
                wanted.add("answer to " + question);
            }
            List<String> got = new ArrayList<>();
            for (Future<String> answer : threads.invokeAll(questions)) {
                got.add(answer.get());
            }
            Check.equal(got, wanted, "the answers");
            for (String address : server.addresses) {
                Check.expect(
                    replies == null ? address.startsWith("amq.rabbitmq.reply-to.") : address.equals(replies), "the address of the answers, got " + address);
            }
            client.close();

            // Nobody serves this one.
            String silent = run.declared(asking, "silent", null);
            try {
                new RpcClient(asking, "", silent, SILENCE_MILLISECONDS).primitiveCall(Check.bytes("anybody?"));
                throw new AssertionError("an answer from nobody");
            } catch (TimeoutException expected) {
                Check.equal(asking.messageCount(silent), 1L, "requests that wait");
            }
            // The loop looks only after a request whether it is to go on; this one asks for no answer.
            server.terminateMainloop();
            Check.send(asking, queue, "last");
            Check.equal(loop.get(Check.WAIT_SECONDS, TimeUnit.SECONDS), null, "how the server ended");
            server.close();
            Check.equal(channel.messageCount(queue), 0L, "requests that are left");
        } finally {
            threads.shutdownNow();
        }
    }
}
