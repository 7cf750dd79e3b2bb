<?php

// The library does not connect again by itself: this is what its documentation does about it.

declare(strict_types=1);

use PhpAmqpLib\Connection\AbstractConnection;
use PhpAmqpLib\Exception\AMQPConnectionBlockedException;
use PhpAmqpLib\Exception\AMQPConnectionClosedException;
use PhpAmqpLib\Exception\AMQPIOException;
use PhpAmqpLib\Exception\AMQPTimeoutException;
use PhpAmqpLib\Message\AMQPMessage;

const RESTART_SECONDS = 180;
const BATCH = 50;
const PREFETCH = 10;

function control(string $what): void
{
    $options = ['http' => ['method' => 'POST', 'content' => '', 'timeout' => RESTART_SECONDS, 'ignore_errors' => true]];
    file_get_contents(getenv('INTEROP_CONTROL') . $what, false, stream_context_create($options));
    expect(str_contains($http_response_header[0], ' 204'), "the answer to $what: " . $http_response_header[0]);
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
        control("/restart?how=$how");
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

/** Who publishes during an alarm is told, and what it sent is confirmed afterwards; who consumes goes on. */
$scenarios->add('blocked', function (Run $run): void {
    $connection = connect($run, configured(getenv('INTEROP_RESTART_URL')));
    $notices = [];
    $connection->set_connection_block_handler(function (string $reason) use (&$notices): void {
        $notices[] = $reason;
    });
    $connection->set_connection_unblock_handler(function () use (&$notices): void {
        $notices[] = 'unblocked';
    });
    $channel = $connection->channel();
    $channel->confirm_select();
    $queue = declared($run, $channel);
    send($channel, $queue, 'before');
    $channel->wait_for_pending_acks(WAIT_SECONDS);
    control('/alarm?is=set');
    send($channel, $queue, 'waits');
    // A wait for the channel goes on when a notice to the connection was all that came.
    $told = function (bool $blocked) use ($connection, $channel): bool {
        try {
            $channel->wait(null, false, 0.1);
        } catch (AMQPTimeoutException) {
        }
        return $connection->isBlocked() === $blocked;
    };
    until('the notice that publishers are blocked', fn () => $told(true));
    expect(count($notices) === 1 && str_contains($notices[0], 'disk'), 'blocked because of the disk, got ' . shown($notices));
    refused(AMQPConnectionBlockedException::class, 0, 'blocked', fn () => send($channel, $queue, 'refused by the library'));
    $consumer = connect($run, configured(getenv('INTEROP_RESTART_URL')))->channel();
    equal(taken($consumer, $queue)->getBody(), 'before', 'what is consumed meanwhile');
    control('/alarm?is=clear');
    until('the notice that they are not', fn () => $told(false));
    equal(end($notices), 'unblocked', 'the notice');
    $channel->wait_for_pending_acks(WAIT_SECONDS);
    equal(drained($consumer, $queue), ['waits'], 'messages');
    $channel->queue_delete($queue);
}, LONG_SECONDS, ownBroker: true);
