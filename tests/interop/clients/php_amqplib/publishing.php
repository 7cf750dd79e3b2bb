<?php

// Large bodies, batches, many channels, transactions, and properties.

declare(strict_types=1);

use PhpAmqpLib\Connection\AMQPConnectionConfig;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPAbstractCollection as Type;
use PhpAmqpLib\Wire\AMQPDecimal;
use PhpAmqpLib\Wire\AMQPTable;

// The largest body that is accepted.
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
const FRAME_BYTES = 131072;
const FRAME_OVERHEAD_BYTES = 8;
const CHANNELS = 1000;

$scenarios->add('message-16mb', function (Run $run): void {
    $channel = connect($run)->channel();
    $queue = declared($run, $channel);
    $body = random_bytes(MESSAGE_BYTES_MAX);
    $channel->confirm_select();
    send($channel, $queue, $body);
    $channel->wait_for_pending_acks(3 * WAIT_SECONDS);
    $message = (new Inbox($channel, $queue, noAck: true))->next();
    expect($message->getBody() === $body, 'the large body came back changed, ' . $message->getBodySize() . ' bytes');
}, LONG_SECONDS);

/** Bodies that fill their frames, and that are a byte less or more. */
$scenarios->add('frames', function (Run $run): void {
    $channel = connect($run)->channel();
    $queue = declared($run, $channel);
    $full = FRAME_BYTES - FRAME_OVERHEAD_BYTES;
    $inbox = new Inbox($channel, $queue, noAck: true);
    foreach ([0, 1, $full - 1, $full, $full + 1, 2 * $full, 2 * $full + 1, 3 * FRAME_BYTES] as $length) {
        $body = $length ? random_bytes($length) : '';
        send($channel, $queue, $body);
        $message = $inbox->next();
        expect((string) $message->getBody() === $body, "a body of $length bytes came back changed");
        equal((int) $message->getBodySize(), $length, 'its length');
    }
});

$scenarios->add('publish-batch', function (Run $run): void {
    $channel = connect($run)->channel();
    $queue = declared($run, $channel);
    $channel->confirm_select();
    $channel->set_nack_handler(fn ($message) => throw new RuntimeException('refused: ' . $message->getBody()));
    $messages = numbered('message', 1000);
    foreach (array_chunk($messages, 100) as $batch) {
        foreach ($batch as $body) {
            $channel->batch_basic_publish(new AMQPMessage($body), '', $queue);
        }
        $channel->publish_batch();
    }
    $channel->wait_for_pending_acks_returns(WAIT_SECONDS);
    equal(drained($channel, $queue), $messages, 'bodies');
});

$scenarios->add('channels-1000', function (Run $run): void {
    $connection = connect($run);
    $channels = array_map(fn () => $connection->channel(), range(1, CHANNELS));
    $queue = declared($run, $channels[0]);
    foreach ($channels as $channel) {
        send($channel, $queue, (string) $channel->getChannelId());
    }
    until('every message is in the queue', fn () => ready($channels[0], $queue) === CHANNELS);
    $ids = [];
    foreach ($channels as $channel) {
        $message = $channel->basic_get($queue);
        $message->ack();
        $ids[] = (int) $message->getBody();
    }
    sort($ids);
    equal($ids, range(1, CHANNELS), 'a message of every channel');
    array_walk($channels, fn ($channel) => $channel->close());
}, LONG_SECONDS);

$scenarios->add('tx', function (Run $run): void {
    $connection = connect($run);
    $witness = $connection->channel();
    $channel = $connection->channel();
    $queue = declared($run, $witness);
    $channel->tx_select();
    send($channel, $queue, 'rolled back');
    $channel->tx_rollback();
    send($channel, $queue, 'committed');
    equal(ready($channel, $queue), 0, 'messages before the commit');
    $channel->tx_commit();
    equal(ready($witness, $queue), 1, 'messages after the commit');
    $message = $channel->basic_get($queue);
    equal($message->getBody(), 'committed', 'body');
    // An acknowledgement that is rolled back leaves the message with the channel.
    $message->ack();
    $channel->tx_rollback();
    $channel->basic_recover(true);
    $message = $channel->basic_get($queue);
    expect($message?->isRedelivered() === true, 'the message was not marked as redelivered');
    $message->ack();
    $channel->tx_commit();
    $channel->close();
    equal(ready($witness, $queue), 0, 'messages after the acknowledgement');
});

$scenarios->add('properties', function (Run $run): void {
    $channel = connect($run)->channel();
    $queue = declared($run, $channel);
    $headers = new AMQPTable([
        'text' => 'grüße', 'empty' => '', 'yes' => true, 'no' => false, 'number' => -70_000, 'large' => 1 << 40, 'nothing' => null,
        'list' => ['a', 1, [true, null], ['deep' => ['bottom']], []],
        'table' => ['inner' => ['innermost' => ['number' => 1]]],
    ]);
    $typed = [
        ['byte', -5, Type::T_INT_SHORTSHORT], ['unsigned-byte', 200, Type::T_INT_SHORTSHORT_U], ['short', -300, Type::T_INT_SHORT],
        ['unsigned-short', 60_000, Type::T_INT_SHORT_U], ['unsigned', 3_000_000_000, Type::T_INT_LONG_U],
        ['bytes', "\0\xff", Type::T_BYTES],
    ];
    foreach ($typed as [$name, $value, $type]) {
        $headers->set($name, $value, $type);
    }
    $headers->set('moment', 1_700_000_000, Type::T_TIMESTAMP);
    $headers->set('decimal', new AMQPDecimal(1234, 2));
    $sent = [
        'content_type' => 'application/json', 'content_encoding' => 'utf-8', 'delivery_mode' => 2, 'priority' => 9,
        'correlation_id' => 'correlation', 'reply_to' => 'reply', 'expiration' => '600000', 'message_id' => 'message',
        'timestamp' => 1_700_000_000, 'type' => 'type', 'user_id' => parse_url(getenv('INTEROP_URL'), PHP_URL_USER),
        'app_id' => 'application',
    ];
    send($channel, $queue, '{}', $sent + ['application_headers' => $headers]);
    $message = taken($channel, $queue);
    equal($message->getBody(), '{}', 'body');
    $properties = $message->get_properties();
    $got = $properties['application_headers']->getNativeData();
    unset($properties['application_headers']);
    ksort($properties);
    ksort($sent);
    equal($properties, $sent, 'properties');
    equal([$got['decimal']->getN(), $got['decimal']->getE()], [1234, 2], 'the decimal');
    equal($got['moment']->getTimestamp(), 1_700_000_000, 'the moment');
    $wanted = $headers->getNativeData();
    foreach (['decimal', 'moment'] as $compared) {
        unset($got[$compared], $wanted[$compared]);
    }
    ksort($got);
    ksort($wanted);
    equal($got, $wanted, 'headers');
});

/** The library's other way to read and write, by the extension for sockets. */
$scenarios->add('socket', function (Run $run): void {
    $config = configured(getenv('INTEROP_URL'));
    $config->setIoType(AMQPConnectionConfig::IO_TYPE_SOCKET);
    // Its own login, which it has from before RabbitMQ knew PLAIN.
    $config->setLoginMethod(AMQPConnectionConfig::AUTH_AMQPPLAIN);
    $channel = connect($run, $config)->channel();
    $queue = declared($run, $channel);
    $body = random_bytes(5 * FRAME_BYTES);
    send($channel, $queue, $body);
    expect((new Inbox($channel, $queue, noAck: true))->next()->getBody() === $body, 'the body came back changed');
});
