// Go's amqp091-go, from Debian's package.
package main

func main() {
	protocol(scenarios)
}

// These have the broker of the client's own, as reconnect has by its name.
var onOwnBroker = map[string]bool{"blocked": true}

// In the order in which they run.
var scenarios = []scenario{
	{"declare", ordinary, declare},
	{"bind", ordinary, bind},
	{"confirmed-publish", ordinary, confirmedPublish},
	{"consume-ack-prefetch", ordinary, consumeAckPrefetch},
	{"return", ordinary, returned},
	{"get", ordinary, get},
	{"rpc-reply-to", ordinary, rpcReplyTo},
	{"ttl-dead-letter", ordinary, ttlDeadLetter},
	{"reconnect", long, reconnect},
	{"blocked", long, blocked},
	{"message-16mb", long, message16mb},
	{"channels-1000", long, channels1000},
	{"nack-requeue", ordinary, nackRequeue},
	{"cancel-notify", ordinary, cancelNotify},
	{"channel-error", ordinary, channelError},
	{"connection-error", ordinary, connectionError},
	{"exclusive-queue", ordinary, exclusiveQueue},
	{"heartbeat", ordinary, heartbeat},
	{"tx", ordinary, transaction},
	{"properties", ordinary, properties},
	{"qos-global", ordinary, qosGlobal},
	{"consumer-cancel", ordinary, consumerCancel},
	{"many-publishers", ordinary, manyPublishers},
	{"no-wait", ordinary, noWait},
	{"channel-comes-back", ordinary, channelComesBack},
	{"update-secret", ordinary, updateSecret},
	{"tls", ordinary, overTLS},
	{"tls-external", ordinary, external},
}
