<?php

// What every client does: queues and exchanges, publishing and consuming.

declare(strict_types=1);

use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Exchange\AMQPExchangeType;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

const KINDS = [AMQPExchangeType::DIRECT, AMQPExchangeType::FANOUT, AMQPExchangeType::TOPIC, AMQPExchangeType::HEADERS];
const CONFIRMED = 500;

$scenarios->add('declare', function (Run $run): void {
    $connection = connect($run);
    $channel = $connection->channel();
    $name = $run->queue('durable');
    $arguments = fn ($length) => new AMQPTable(['x-max-length' => $length, 'x-message-ttl' => 600_000]);
    $exchanges = array_map(fn ($kind) => $run->exchange($kind), array_combine(KINDS, KINDS));
    // The second time changes nothing.
    foreach (['first', 'second'] as $time) {
        $made = $channel->queue_declare($name, durable: true, auto_delete: false, arguments: $arguments(10));
        equal($made, [$name, 0, 0], "the queue, the $time time");
        foreach ($exchanges as $kind => $exchange) {
            $channel->exchange_declare($exchange, $kind, durable: true, auto_delete: false);
            $channel->exchange_declare($exchange, $kind, passive: true);
        }
    }
    $reason = "inequivalent arg 'x-max-length' for queue '$name'";
    refused(AMQPProtocolChannelException::class, 406, $reason, fn () =>
        $connection->channel()->queue_declare($name, durable: true, auto_delete: false, arguments: $arguments(11)));

    [$named] = $channel->queue_declare('', exclusive: true, auto_delete: true);
    expect(str_starts_with($named, 'amq.gen-'), "a name of the broker's, got $named");
    $inbox = new Inbox($channel, $named, noAck: true);
    send($channel, $named, 'one');
    equal($inbox->next()->getBody(), 'one', 'body');
    equal($channel->queue_declare($named, passive: true), [$named, 0, 1], 'a queue with a consumer');

    foreach ($exchanges as $exchange) {
        $channel->exchange_delete($exchange, true);
    }
    send($channel, $name, 'left');
    until('the message is in the queue', fn () => ready($channel, $name) === 1);
    refused(AMQPProtocolChannelException::class, 406, 'not empty', fn () =>
        $connection->channel()->queue_delete($name, if_empty: true));
    equal($channel->queue_delete($name), 1, 'messages in the deleted queue');
    refused(AMQPProtocolChannelException::class, 404, "no queue '$name'", fn () => ready($connection->channel(), $name));
    expect($connection->isConnected() && $channel->is_open(), 'the errors went beyond their channels');
});

$scenarios->add('bind', function (Run $run): void {
    $channel = connect($run)->channel();
    $queue = declared($run, $channel);
    $exchanges = [];
    foreach (KINDS as $kind) {
        $exchanges[$kind] = $run->exchange($kind);
        $channel->exchange_declare($exchanges[$kind], $kind);
    }
    ['direct' => $direct, 'fanout' => $fanout, 'topic' => $topic, 'headers' => $headers] = $exchanges;
    // A binding does not keep an exchange that is deleted with its last one.
    $all = new AMQPTable(['x-match' => 'all', 'format' => 'pdf', 'pages' => 3]);
    $channel->queue_bind($queue, $direct, 'key');
    $channel->queue_bind($queue, $fanout);
    $channel->queue_bind($queue, $topic, '*.orange.#');
    $channel->queue_bind($queue, $headers, '', false, $all);
    // Through another exchange, too.
    $channel->exchange_bind($direct, $topic, 'through');
    $channel->queue_bind($queue, $direct, 'through');
    $routed = function () use ($channel, $queue, $direct, $fanout, $topic, $headers): array {
        $publish = function (string $exchange, string $key, string $body, array $table = []) use ($channel): void {
            $properties = ['application_headers' => new AMQPTable($table)];
            $channel->basic_publish(new AMQPMessage($body, $properties), $exchange, $key);
        };
        $publish($direct, 'key', 'direct');
        $publish($direct, 'other', 'lost');
        $publish($fanout, 'anything', 'fanout');
        $publish($topic, 'quick.orange.fox.fast', 'topic');
        $publish($topic, 'orange', 'lost');
        $publish($topic, 'through', 'through');
        $publish($headers, '', 'headers', ['format' => 'pdf', 'pages' => 3, 'more' => true]);
        $publish($headers, '', 'lost', ['format' => 'pdf']);
        $publish('', $queue, 'end');
        $bodies = [];
        while (end($bodies) !== 'end') {
            $bodies[] = taken($channel, $queue)->getBody();
        }
        return $bodies;
    };
    equal($routed(), ['direct', 'fanout', 'topic', 'through', 'headers', 'end'], 'routed');
    $channel->queue_unbind($queue, $direct, 'key');
    $channel->exchange_unbind($direct, $topic, 'through');
    equal($routed(), ['fanout', 'topic', 'headers', 'end'], 'routed after two unbinds');
    // php-amqplib declares exchanges to be deleted with their last binding, unless told otherwise.
    $channel->queue_unbind($queue, $headers, '', $all);
    refused(AMQPProtocolChannelException::class, 404, "no exchange '$headers'", fn () =>
        $channel->exchange_declare($headers, 'headers', passive: true));
});

$scenarios->add('confirmed-publish', function (Run $run): void {
    $channel = connect($run)->channel();
    $queue = declared($run, $channel);
    $channel->confirm_select();
    $acked = [];
    $channel->set_ack_handler(function (AMQPMessage $message) use (&$acked): void {
        $acked[] = $message->getBody();
    });
    $channel->set_nack_handler(fn ($message) => throw new RuntimeException('refused: ' . $message->getBody()));
    for ($number = 0; $number < CONFIRMED; $number++) {
        $mode = $number % 2 ? AMQPMessage::DELIVERY_MODE_PERSISTENT : AMQPMessage::DELIVERY_MODE_NON_PERSISTENT;
        send($channel, $queue, "$number", ['delivery_mode' => $mode]);
    }
    $channel->wait_for_pending_acks(WAIT_SECONDS);
    sort($acked, SORT_NUMERIC);
    equal($acked, array_map('strval', range(0, CONFIRMED - 1)), 'confirmed messages');
    equal(ready($channel, $queue), CONFIRMED, 'messages');

    $refusing = connect($run)->channel();
    $full = declared($run, $refusing, 'full', ['x-max-length' => 1, 'x-overflow' => 'reject-publish']);
    $refusing->confirm_select();
    $told = [];
    $refusing->set_ack_handler(function (AMQPMessage $message) use (&$told): void {
        $told[] = ['ack', $message->getBody()];
    });
    $refusing->set_nack_handler(function (AMQPMessage $message) use (&$told): void {
        $told[] = ['nack', $message->getBody()];
    });
    foreach (['first', 'second'] as $body) {
        send($refusing, $full, $body);
        $refusing->wait_for_pending_acks(WAIT_SECONDS);
    }
    equal($told, [['ack', 'first'], ['nack', 'second']], 'what the handlers were told');
});

$scenarios->add('consume-ack-prefetch', function (Run $run): void {
    $connection = connect($run);
    $channel = $connection->channel();
    $queue = declared($run, $channel);
    $messages = numbered('message', 10);
    foreach ($messages as $body) {
        send($channel, $queue, $body);
    }
    $channel->basic_qos(0, 2, false);
    $inbox = new Inbox($channel, $queue);
    $held = $inbox->several(2);
    equal(bodies($held), array_slice($messages, 0, 2), 'the first two');
    // No more than two are on their way: the others are ready.
    equal(ready($channel, $queue), 8, 'ready messages');
    $held[1]->ack(true);
    $held = $inbox->several(2);
    equal(bodies($held), array_slice($messages, 2, 2), 'the next two');
    equal(ready($channel, $queue), 6, 'ready messages');
    $held[0]->ack();
    equal($inbox->next()->getBody(), $messages[4], 'the next one');
    $channel->close();

    $again = $connection->channel();
    $again->basic_qos(0, 2, false);
    $inbox = new Inbox($again, $queue);
    foreach (array_slice($messages, 3) as $number => $body) {
        $message = $inbox->next();
        $got = [$message->getBody(), $message->isRedelivered(), $message->getExchange(), $message->getRoutingKey()];
        equal($got, [$body, $number < 2, '', $queue], 'a delivery');
        $message->ack();
    }
    equal(ready($again, $queue), 0, 'ready messages');
});

$scenarios->add('return', function (Run $run): void {
    $channel = connect($run)->channel();
    $queue = declared($run, $channel);
    $nowhere = $run->queue('nowhere');
    $events = [];
    $channel->confirm_select();
    $channel->set_ack_handler(function (AMQPMessage $message) use (&$events): void {
        $events[] = ['ack', $message->getBody()];
    });
    $channel->set_return_listener(function ($code, $text, $exchange, $key, AMQPMessage $message) use (&$events): void {
        $headers = $message->get('application_headers')->getNativeData();
        $events[] = ['return', $code, $text, $exchange, $key, $message->getBody(), $message->get('message_id'), $headers];
    });
    foreach ([['routable', $queue, true], ['dropped', $nowhere, false], ['returned', $nowhere, true]] as [$body, $key, $mandatory]) {
        $properties = ['message_id' => 'id', 'application_headers' => new AMQPTable(['header' => 7])];
        $channel->basic_publish(new AMQPMessage($body, $properties), '', $key, $mandatory);
        $channel->wait_for_pending_acks_returns(WAIT_SECONDS);
    }
    equal($events, [
        ['ack', 'routable'],
        ['ack', 'dropped'],
        ['return', 312, 'NO_ROUTE', '', $nowhere, 'returned', 'id', ['header' => 7]],
        ['ack', 'returned'],
    ], 'the events');
    equal(drained($channel, $queue), ['routable'], 'messages that were routed');
});

$scenarios->add('get', function (Run $run): void {
    $channel = connect($run)->channel();
    $queue = declared($run, $channel);
    equal($channel->basic_get($queue), null, 'a message of an empty queue');
    send($channel, $queue, 'first');
    send($channel, $queue, 'second');
    foreach ([false, true] as $again) {
        $message = $channel->basic_get($queue);
        $got = [$message->getBody(), $message->getMessageCount(), $message->isRedelivered(), $message->getRoutingKey()];
        equal($got, ['first', 1, $again, $queue], 'first');
        $again ? $message->ack() : $message->reject(true);
    }
    equal($channel->queue_purge($queue), 1, 'purged messages');
    equal(drained($channel, $queue), [], 'messages after the purge');
});

$scenarios->add('rpc-reply-to', function (Run $run): void {
    $replyTo = 'amq.rabbitmq.reply-to';
    $serving = connect($run)->channel();
    $queue = declared($run, $serving, 'rpc_queue');
    $requests = new Inbox($serving, $queue);
    $calling = connect($run)->channel();
    $replies = new Inbox($calling, $replyTo, noAck: true);
    $wanted = [];
    foreach (numbered('question', 3) as $question) {
        send($calling, $queue, $question, ['reply_to' => $replyTo, 'correlation_id' => "id of $question"]);
        $wanted["id of $question"] = "answer to $question";
    }
    foreach ($requests->several(3) as $request) {
        $address = $request->get('reply_to');
        expect(str_starts_with($address, "$replyTo."), "an address of the broker's, got $address");
        send($serving, $address, 'answer to ' . $request->getBody(), ['correlation_id' => $request->get('correlation_id')]);
        $request->ack();
    }
    $got = [];
    foreach ($replies->several(3) as $reply) {
        $got[$reply->get('correlation_id')] = $reply->getBody();
    }
    equal($got, $wanted, 'the replies');
});

$scenarios->add('ttl-dead-letter', function (Run $run): void {
    $channel = connect($run)->channel();
    $exchange = $run->exchange('dead');
    $channel->exchange_declare($exchange, 'direct');
    $dead = declared($run, $channel, 'dead');
    $channel->queue_bind($dead, $exchange, 'gone');
    $to = ['x-dead-letter-exchange' => $exchange, 'x-dead-letter-routing-key' => 'gone'];
    $brief = declared($run, $channel, 'brief', $to + ['x-message-ttl' => 50]);
    $kept = declared($run, $channel, 'kept', $to + ['x-max-length' => 1]);
    $died = function (string $queue, string $reason, ?string $expiration = null) use ($channel, $dead): void {
        $message = taken($channel, $dead);
        equal($message->getBody(), $reason, 'body');
        $headers = $message->get('application_headers')->getNativeData();
        equal(count($headers['x-death']), 1, 'deaths');
        $death = $headers['x-death'][0];
        $got = [$death['queue'], $death['reason'], $death['count'], $death['exchange'], $death['routing-keys']];
        equal($got, [$queue, $reason, 1, '', [$queue]], 'the death');
        equal($death['original-expiration'] ?? null, $expiration, 'original-expiration');
        equal([$headers['x-first-death-queue'], $headers['x-first-death-reason']], [$queue, $reason], 'the first death');
        expect(!$message->has('expiration'), 'a dead letter has an expiration');
    };
    send($channel, $brief, 'expired');
    $died($brief, 'expired');
    send($channel, $kept, 'expired', ['expiration' => '50']);
    $died($kept, 'expired', '50');
    send($channel, $kept, 'rejected');
    $channel->basic_get($kept)->reject(false);
    $died($kept, 'rejected');
    send($channel, $kept, 'maxlen');
    send($channel, $kept, 'last');
    $died($kept, 'maxlen');
});
