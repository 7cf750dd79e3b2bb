<?php

// How messages come back, how far ahead they are sent, how long a consumer waits, and what it is told.

declare(strict_types=1);

use PhpAmqpLib\Connection\Heartbeat\PCNTLHeartbeatSender;
use PhpAmqpLib\Exception\AMQPBasicCancelException;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Exception\AMQPTimeoutException;

const HEARTBEAT_SECONDS = 6;
const IDLE_SECONDS = 3 * HEARTBEAT_SECONDS;

$scenarios->add('nack-requeue', function (Run $run): void {
    $channel = connect($run)->channel();
    $queue = declared($run, $channel);
    foreach (['a', 'b', 'c'] as $body) {
        send($channel, $queue, $body);
    }
    $seen = function (string $body, bool $redelivered) use ($channel, $queue) {
        $message = $channel->basic_get($queue);
        equal([$message?->getBody(), $message?->isRedelivered()], [$body, $redelivered], 'a message, and whether redelivered');
        return $message;
    };
    $seen('a', false);
    $seen('b', false)->nack(true, true);
    $seen('a', true)->reject(false);
    $seen('b', true)->nack(true);
    $seen('b', true)->ack();
    $seen('c', false);
    $channel->basic_recover(true);
    $seen('c', true)->ack();
    equal(drained($channel, $queue), [], 'what is left');
});

$scenarios->add('qos-global', function (Run $run): void {
    $channel = connect($run)->channel();
    $queues = [declared($run, $channel, 'first'), declared($run, $channel, 'second')];
    foreach ($queues as $queue) {
        foreach (numbered('message', 5) as $body) {
            send($channel, $queue, $body);
        }
    }
    $channel->basic_qos(0, 2, false);
    $channel->basic_qos(0, 3, true);
    (new Inbox($channel, $queues[0]))->several(2);
    equal(ready($channel, $queues[0]), 3, "ready where the consumer's limit holds");
    $second = new Inbox($channel, $queues[1]);
    $second->several(1);
    equal(ready($channel, $queues[1]), 4, "ready where the channel's limit holds");
    $channel->basic_qos(0, 4, true);
    $second->several(1);
    equal(ready($channel, $queues[1]), 3, 'ready where both hold');
});

$scenarios->add('cancel-notify', function (Run $run): void {
    $connection = connect($run);
    $channel = $connection->channel();
    $queue = declared($run, $channel);
    $inbox = new Inbox($channel, $queue);
    connect($run)->channel()->queue_delete($queue);
    try {
        $channel->wait(null, false, WAIT_SECONDS);
        throw new RuntimeException('no cancellation');
    } catch (AMQPBasicCancelException $cancelled) {
        equal($cancelled->getConsumerTag(), $inbox->tag, 'the consumer that was cancelled');
    }
    // The channel is as good as before.
    equal($channel->queue_declare($queue, auto_delete: false), [$queue, 0, 0], 'a new queue');
});

$scenarios->add('consumer-cancel', function (Run $run): void {
    $channel = connect($run)->channel();
    $queue = declared($run, $channel);
    $channel->basic_qos(0, 2, false);
    $inbox = new Inbox($channel, $queue, exclusive: true);
    refused(AMQPProtocolChannelException::class, 403, 'in exclusive use', fn () =>
        new Inbox(connect($run)->channel(), $queue));
    foreach (numbered('message', 4) as $body) {
        send($channel, $queue, $body);
    }
    $held = $inbox->several(2);
    $channel->basic_cancel($inbox->tag);
    expect(!$channel->is_consuming(), 'the channel still consumes');
    // What was delivered stays with the channel, and can be settled.
    equal(ready($channel, $queue), 2, 'ready messages');
    $held[0]->ack();
    $held[1]->nack(true);
    equal(drained($channel, $queue), ['message 1', 'message 2', 'message 3'], 'the rest');
});

$scenarios->add('wait-timeout', function (Run $run): void {
    $channel = connect($run)->channel();
    $queue = declared($run, $channel);
    $inbox = new Inbox($channel, $queue, noAck: true);
    foreach (['one', 'two'] as $body) {
        // A wait that ends without a message leaves the connection as it was.
        try {
            $channel->wait(null, false, 0.1);
            throw new RuntimeException('something came');
        } catch (AMQPTimeoutException) {
            equal($inbox->messages, [], 'messages');
        }
        $channel->wait(null, true);
        send($channel, $queue, $body);
        equal($inbox->next()->getBody(), $body, 'body');
    }
});

/** The loop of a worker, which waits for messages and sends heartbeats between them. */
$scenarios->add('heartbeat', function (Run $run): void {
    $config = configured(getenv('INTEROP_URL'));
    $config->setHeartbeat(HEARTBEAT_SECONDS);
    $connection = connect($run, $config);
    $channel = $connection->channel();
    $queue = declared($run, $channel);
    $seen = [];
    $channel->basic_consume($queue, no_ack: true, callback: function ($message) use (&$seen, $channel): void {
        $seen[] = $message->getBody();
        $channel->stopConsume();
    });
    // Being idle is what is tested: each side gives up the other when it misses two heartbeats.
    $ends = microtime(true) + IDLE_SECONDS;
    while (microtime(true) < $ends) {
        try {
            $channel->wait(null, false, HEARTBEAT_SECONDS / 2);
        } catch (AMQPTimeoutException) {
            $connection->checkHeartBeat();
        }
    }
    send($channel, $queue, 'still here');
    $channel->consume(1);
    equal($seen, ['still here'], 'bodies');
});

/** A worker that is busy for longer than its heartbeats allow, which signals send meanwhile. */
$scenarios->add('heartbeat-signals', function (Run $run): void {
    $config = configured(getenv('INTEROP_URL'));
    $config->setHeartbeat(HEARTBEAT_SECONDS);
    $connection = connect($run, $config);
    $channel = $connection->channel();
    $queue = declared($run, $channel);
    $sender = new PCNTLHeartbeatSender($connection);
    $sender->register();
    try {
        $ends = microtime(true) + IDLE_SECONDS;
        while (microtime(true) < $ends) {
            usleep(POLL_MICROSECONDS);
        }
    } finally {
        $sender->unregister();
    }
    send($channel, $queue, 'still here');
    equal(drained($channel, $queue), ['still here'], 'bodies');
});
