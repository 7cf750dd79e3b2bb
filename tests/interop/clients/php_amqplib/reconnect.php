<?php

// The library does not connect again by itself: this is what its documentation does about it.

declare(strict_types=1);

use PhpAmqpLib\Connection\AbstractConnection;
use PhpAmqpLib\Exception\AMQPConnectionClosedException;
use PhpAmqpLib\Exception\AMQPIOException;
use PhpAmqpLib\Message\AMQPMessage;

const RESTART_SECONDS = 40;
const BATCH = 50;
const PREFETCH = 10;

function restart(string $how): void
{
    $options = ['http' => ['method' => 'POST', 'content' => '', 'timeout' => RESTART_SECONDS, 'ignore_errors' => true]];
    file_get_contents(getenv('INTEROP_CONTROL') . "/restart?how=$how", false, stream_context_create($options));
    expect(str_contains($http_response_header[0], ' 204'), 'the answer to the restart: ' . $http_response_header[0]);
}

/** Publishes and waits for the confirms. */
function confirm(AbstractConnection $connection, string $queue, array $messages): array
{
    $channel = $connection->channel();
    $channel->confirm_select();
    $channel->set_nack_handler(fn ($message) => throw new RuntimeException('refused: ' . $message->getBody()));
    foreach ($messages as $body) {
        send($channel, $queue, $body, ['delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT]);
    }
    $channel->wait_for_pending_acks(WAIT_SECONDS);
    $channel->close();
    return $messages;
}

$scenarios->add('reconnect', function (Run $run): void {
    $again = fn () => until('a connection', function () use ($run) {
        try {
            return connect($run, configured(getenv('INTEROP_RESTART_URL')));
        } catch (AMQPIOException) {
            return null;
        }
    });
    $queue = $run->queue();
    $connection = $again();
    $connection->channel()->queue_declare($queue, durable: true, auto_delete: false);
    foreach (['kill', 'stop'] as $how) {
        $channel = $connection->channel();
        $channel->basic_qos(0, PREFETCH, false);
        $confirmed = confirm($connection, $queue, numbered("$how before", BATCH));
        // These are unacknowledged when the broker goes, the others ready.
        (new Inbox($channel, $queue))->several(PREFETCH);
        restart($how);
        try {
            $channel->wait(null, false, WAIT_SECONDS);
            throw new RuntimeException('nothing was told of the end of the connection');
        } catch (AMQPConnectionClosedException) {
            // With a code only while the socket is still there.
        }
        expect(!$connection->isConnected(), 'the connection is open');

        $connection = $again();
        $channel = $connection->channel();
        $confirmed = array_merge($confirmed, confirm($connection, $queue, numbered("$how after", BATCH)));
        $channel->basic_qos(0, PREFETCH, false);
        $inbox = new Inbox($channel, $queue);
        $seen = [];
        while (count($seen) < count($confirmed)) {
            $message = $inbox->next();
            $seen[$message->getBody()] = true;
            $message->ack();
        }
        equal(array_diff($confirmed, array_keys($seen)), [], 'messages that did not come');
        equal(ready($channel, $queue), 0, 'messages left');
        $channel->close();
    }
    $connection->channel()->queue_delete($queue);
}, LONG_SECONDS);
