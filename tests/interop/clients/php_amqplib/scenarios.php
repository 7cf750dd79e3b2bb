<?php

// The registry of the scenarios, and the line protocol that the runner speaks with it.

declare(strict_types=1);

use PhpAmqpLib\Connection\AbstractConnection;

/** One run of one scenario: where the broker is, and names that nobody else uses. */
final class Run
{
    /** @var array<array{string, string}> */
    public array $made = [];

    /** @var AbstractConnection[] */
    public array $connections = [];

    public function __construct(private string $client, private string $scenario)
    {
    }

    /** A new queue name, recorded so that the queue is deleted after the scenario. */
    public function queue(string $label = 'queue'): string
    {
        return $this->name('queue', $label);
    }

    /** A new exchange name, recorded as a queue's is. */
    public function exchange(string $label = 'exchange'): string
    {
        return $this->name('exchange', $label);
    }

    private function name(string $kind, string $label): string
    {
        $parts = ['interop', getenv('INTEROP_RUN'), $this->client, $this->scenario, $label, count($this->made)];
        $name = implode('.', $parts);
        $this->made[] = [$kind, $name];
        $line = json_encode(['scenario' => $this->scenario, 'kind' => $kind, 'name' => $name], JSON_THROW_ON_ERROR);
        file_put_contents(getenv('INTEROP_NAMES'), "$line\n", FILE_APPEND);
        return $name;
    }
}

/** The scenarios of one client. */
final class Scenarios
{
    private const DEADLINE_SECONDS = 180;

    /** @var array<string, array{callable, int, bool}> */
    private array $scenarios = [];

    /** @param callable(Run): void $clean closes what a run opened and deletes what it made */
    public function __construct(private string $client, private $clean)
    {
    }

    /** Registers a function that throws where the broker differs from it. With $ownBroker it finds that one running. */
    public function add(string $name, callable $body, int $deadline = self::DEADLINE_SECONDS, bool $ownBroker = false): void
    {
        if (isset($this->scenarios[$name])) {
            throw new LogicException("two scenarios are called $name");
        }
        $this->scenarios[$name] = [$body, $deadline, $ownBroker];
    }

    /** Lists the scenarios with --list; else runs those that are named on stdin, one a line. */
    public function main(array $arguments): void
    {
        if (($arguments[1] ?? '') === '--list') {
            $list = [];
            foreach ($this->scenarios as $name => [, $deadline, $ownBroker]) {
                $list[] = ['name' => $name, 'deadline_seconds' => $deadline, 'own_broker' => $ownBroker];
            }
            $this->write($list);
            return;
        }
        while (($line = fgets(STDIN)) !== false) {
            $this->write($this->answer(trim($line)));
        }
    }

    private function answer(string $name): array
    {
        $started = hrtime(true);
        $run = new Run($this->client, $name);
        $detail = $this->failure($this->scenarios[$name][0], $run) . $this->failure($this->clean, $run);
        $seconds = (hrtime(true) - $started) / 1e9;
        return ['scenario' => $name, 'passed' => $detail === '', 'seconds' => $seconds, 'detail' => $detail];
    }

    private function failure(callable $body, Run $run): string
    {
        try {
            $body($run);
            return '';
        } catch (Throwable $problem) {
            return $problem . "\n";
        }
    }

    private function write(array $value): void
    {
        fwrite(STDOUT, json_encode($value, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE) . "\n");
    }
}
