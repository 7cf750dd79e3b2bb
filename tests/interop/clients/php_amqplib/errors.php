<?php

// What goes wrong for one channel or one connection, and stays there.

declare(strict_types=1);

use PhpAmqpLib\Exception\AMQPConnectionClosedException;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

$scenarios->add('channel-error', function (Run $run): void {
    $connection = connect($run);
    $bystander = $connection->channel();
    $queue = $run->queue();
    $absent = $run->queue('absent');
    $bystander->queue_declare($queue, durable: true, auto_delete: false);
    $attempts = [
        [404, "no queue '$absent'", fn ($channel) => ready($channel, $absent)],
        [404, "no queue '$absent'", fn ($channel) => $channel->basic_get($absent)],
        [404, "no exchange '$absent'", fn ($channel) => $channel->queue_bind($queue, $absent)],
        [406, "inequivalent arg 'durable' for queue '$queue'", fn ($channel) => $channel->queue_declare($queue, auto_delete: false)],
        [406, 'x-message-ttl', function ($channel) use ($queue): void {
            $arguments = new AMQPTable(['x-message-ttl' => 'soon']);
            $channel->queue_declare($queue, durable: true, auto_delete: false, arguments: $arguments);
        }],
        [403, 'reserved prefix', fn ($channel) => $channel->queue_declare('amq.mine', auto_delete: false)],
        // These have no answer: their error comes to who waits.
        [404, "no exchange '$absent'", function ($channel) use ($absent): void {
            $channel->basic_publish(new AMQPMessage(''), $absent);
            $channel->wait(null, false, WAIT_SECONDS);
        }],
        [406, 'unknown delivery tag 9', function ($channel): void {
            $channel->basic_ack(9);
            $channel->wait(null, false, WAIT_SECONDS);
        }],
    ];
    foreach ($attempts as [$code, $reason, $attempt]) {
        $channel = $connection->channel();
        refused(AMQPProtocolChannelException::class, $code, $reason, fn () => $attempt($channel));
        expect(!$channel->is_open(), 'the channel is still open');
        send($bystander, $queue, 'going on');
        equal(drained($bystander, $queue), ['going on'], 'bodies on the other channel');
    }
});

$scenarios->add('connection-error', function (Run $run): void {
    $connection = connect($run);
    $channel = $connection->channel();
    // The immediate flag is of the specification, and neither RabbitMQ nor Leveret has it.
    $channel->basic_publish(new AMQPMessage(''), '', $run->queue('nowhere'), false, true);
    refused(AMQPConnectionClosedException::class, 540, 'immediate=true', fn () => $channel->wait(null, false, WAIT_SECONDS));
    expect(!$connection->isConnected(), 'the connection is open');

    $wrong = configured(getenv('INTEROP_URL'));
    $wrong->setPassword('wrong');
    refused(AMQPConnectionClosedException::class, 403, 'ACCESS_REFUSED', fn () => connect($run, $wrong));
    $nowhere = configured(getenv('INTEROP_URL'));
    $nowhere->setVhost('nowhere');
    refused(AMQPConnectionClosedException::class, 530, 'vhost nowhere not found', fn () => connect($run, $nowhere));
});

$scenarios->add('exclusive-queue', function (Run $run): void {
    $other = connect($run);
    $owner = connect($run);
    $queue = $run->queue();
    $owner->channel()->queue_declare($queue, exclusive: true, auto_delete: false);
    $attempts = [
        fn ($channel) => ready($channel, $queue),
        fn ($channel) => $channel->basic_get($queue),
        fn ($channel) => new Inbox($channel, $queue),
        fn ($channel) => $channel->queue_bind($queue, 'amq.fanout'),
    ];
    foreach ($attempts as $attempt) {
        $reason = "exclusive access to locked queue '$queue'";
        refused(AMQPProtocolChannelException::class, 405, $reason, fn () => $attempt($other->channel()));
    }
    $owner->close();
    // It is gone with its owner.
    refused(AMQPProtocolChannelException::class, 404, "no queue '$queue'", fn () => ready($other->channel(), $queue));
});
