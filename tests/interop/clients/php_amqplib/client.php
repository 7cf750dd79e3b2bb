<?php

// How the scenarios connect, wait and clean up.

declare(strict_types=1);

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AbstractConnection;
use PhpAmqpLib\Connection\AMQPConnectionConfig;
use PhpAmqpLib\Connection\AMQPConnectionFactory;
use PhpAmqpLib\Exception\AMQPProtocolException;
use PhpAmqpLib\Message\AMQPMessage;

const WAIT_SECONDS = 60;
const POLL_MICROSECONDS = 20_000;
const LONG_SECONDS = 300;

/** The configuration for a URL. */
function configured(string $url): AMQPConnectionConfig
{
    $parts = parse_url($url);
    $config = new AMQPConnectionConfig();
    $config->setHost($parts['host']);
    $config->setPort($parts['port']);
    $config->setUser(urldecode($parts['user']));
    $config->setPassword(urldecode($parts['pass']));
    $config->setVhost(urldecode(substr($parts['path'], 1)));
    $config->setLoginMethod(AMQPConnectionConfig::AUTH_PLAIN);
    $config->setConnectionTimeout(WAIT_SECONDS);
    $config->setReadTimeout(WAIT_SECONDS);
    $config->setWriteTimeout(WAIT_SECONDS);
    $config->setChannelRPCTimeout(WAIT_SECONDS);
    return $config;
}

/** A connection that is closed after the scenario, whatever happened. */
function connect(Run $run, ?AMQPConnectionConfig $config = null): AbstractConnection
{
    $connection = AMQPConnectionFactory::create($config ?? configured(getenv('INTEROP_URL')));
    $run->connections[] = $connection;
    return $connection;
}

/** Closes what the run opened and deletes what it made: deleting what is gone already is no error. */
function clean(Run $run): void
{
    foreach ($run->connections as $connection) {
        if ($connection->isConnected()) {
            $connection->close();
        }
    }
    if ($run->made) {
        $connection = AMQPConnectionFactory::create(configured(getenv('INTEROP_URL')));
        $channel = $connection->channel();
        foreach ($run->made as [$kind, $name]) {
            $kind === 'queue' ? $channel->queue_delete($name) : $channel->exchange_delete($name);
        }
        $connection->close();
    }
}

function expect(bool $holds, string $what): void
{
    if (!$holds) {
        throw new RuntimeException($what);
    }
}

function equal(mixed $got, mixed $wanted, string $what): void
{
    expect($got === $wanted, "$what: got " . shown($got) . ', expected ' . shown($wanted));
}

function shown(mixed $value): string
{
    $text = var_export($value, true);
    return strlen($text) <= 1000 ? $text : substr($text, 0, 1000) . ' ...';
}

/** Waits for what the broker brings about; the step asks for it. */
function until(string $what, callable $condition): mixed
{
    $ends = microtime(true) + WAIT_SECONDS;
    while (!($met = $condition())) {
        expect(microtime(true) < $ends, 'not within ' . WAIT_SECONDS . " seconds: $what");
        usleep(POLL_MICROSECONDS);
    }
    return $met;
}

/** Lets the channel take what comes until the condition holds. */
function waitUntil(AMQPChannel $channel, string $what, callable $condition): void
{
    $ends = microtime(true) + WAIT_SECONDS;
    while (!$condition()) {
        $left = $ends - microtime(true);
        expect($left > 0, 'not within ' . WAIT_SECONDS . " seconds: $what");
        $channel->wait(null, false, $left);
    }
}

/** The error of the broker with which the attempt must fail. */
function refused(string $class, int $code, string $reason, callable $attempt): void
{
    try {
        $attempt();
    } catch (Exception $problem) {
        expect($problem instanceof $class, "expected $class, got $problem");
        equal($problem->getCode(), $code, 'code of ' . $problem->getMessage());
        expect(str_contains($problem->getMessage(), $reason), "'$reason' is missing from " . $problem->getMessage());
        return;
    }
    throw new RuntimeException("no error, expected $code $reason");
}

/** A new queue that outlives its connection. */
function declared(Run $run, AMQPChannel $channel, string $label = 'queue', array $arguments = []): string
{
    $table = new PhpAmqpLib\Wire\AMQPTable($arguments);
    return $channel->queue_declare($run->queue($label), auto_delete: false, arguments: $table)[0];
}

function send(AMQPChannel $channel, string $queue, string $body, array $properties = []): void
{
    $channel->basic_publish(new AMQPMessage($body, $properties), '', $queue);
}

function ready(AMQPChannel $channel, string $queue): int
{
    return $channel->queue_declare($queue, passive: true)[1];
}

/** Gets what is in the queue. */
function drained(AMQPChannel $channel, string $queue): array
{
    $bodies = [];
    while ($message = $channel->basic_get($queue, true)) {
        $bodies[] = $message->getBody();
    }
    return $bodies;
}

/** Gets one message that may still be on its way. */
function taken(AMQPChannel $channel, string $queue): AMQPMessage
{
    return until("a message in $queue", fn () => $channel->basic_get($queue, true));
}

/** A consumer's messages, in the order in which they came. */
final class Inbox
{
    /** @var AMQPMessage[] */
    public array $messages = [];
    public string $tag;

    public function __construct(private AMQPChannel $channel, string $queue, bool $noAck = false, bool $exclusive = false)
    {
        $this->tag = $channel->basic_consume($queue, no_ack: $noAck, exclusive: $exclusive, callback: function ($message) {
            $this->messages[] = $message;
        });
    }

    /** Takes so many messages. */
    public function several(int $count): array
    {
        waitUntil($this->channel, "$count messages", fn () => count($this->messages) >= $count);
        return array_splice($this->messages, 0, $count);
    }

    public function next(): AMQPMessage
    {
        return $this->several(1)[0];
    }
}

function bodies(array $messages): array
{
    return array_map(fn ($message) => $message->getBody(), $messages);
}

function numbered(string $prefix, int $count): array
{
    return array_map(fn ($number) => "$prefix $number", range(0, $count - 1));
}
