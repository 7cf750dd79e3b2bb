/** RabbitMQ's own client of the JVM, which Spring and others are built upon, from Debian's package. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        Scenarios scenarios = new Scenarios("java-client");
        scenarios.add("declare", Core::declare);
        scenarios.add("bind", Core::bind);
        scenarios.add("confirmed-publish", Core::confirmedPublish);
        scenarios.add("consume-ack-prefetch", Core::consumeAckPrefetch);
        scenarios.add("return", Core::returned);
        scenarios.add("get", Core::get);
        scenarios.add("rpc-reply-to", Rpc::replyTo);
        scenarios.add("ttl-dead-letter", DeadLetters::ttl);
        scenarios.addLong("reconnect", Recovery::restart);
        scenarios.addOnOwnBroker("blocked", Recovery::blocked);
        scenarios.add("rpc", Rpc::throughQueue);
        scenarios.addLong("message-16mb", Publishing::message16mb);
        scenarios.addLong("channels-1000", Publishing::channels1000);
        scenarios.add("nack-requeue", Delivering::nackRequeue);
        scenarios.add("recover", Delivering::recover);
        scenarios.add("qos-global", Delivering::qosGlobal);
        scenarios.add("cancel-notify", Delivering::cancelNotify);
        scenarios.add("shutdown-signal", Errors::shutdownSignal);
        scenarios.add("channel-error", Errors::channelError);
        scenarios.add("connection-error", Errors::connectionError);
        scenarios.add("abort", Errors::abort);
        scenarios.add("exclusive-queue", Errors::exclusiveQueue);
        scenarios.add("heartbeat", Delivering::heartbeat);
        scenarios.add("tx", Publishing::transaction);
        scenarios.add("properties", Properties::everyType);
        scenarios.add("no-wait", Publishing::noWait);
        scenarios.add("nio", Publishing::nio);
        scenarios.add("topology-masstransit", Topologies::massTransit);
        scenarios.add("topology-spring", Topologies::spring);
        scenarios.add("tls", Tls::password);
        scenarios.add("tls-external", Tls::external);
        scenarios.main(arguments);
    }
}
