<?php

// TLS, with a password and by certificate.

declare(strict_types=1);

use PhpAmqpLib\Connection\AMQPConnectionConfig;

const BODY_BYTES = 300_000;

function secured(Run $run, bool $external): void
{
    $folder = getenv('INTEROP_CERTIFICATES');
    $config = configured(getenv('INTEROP_TLS_URL'));
    $config->setIsSecure(true);
    $config->setNetworkProtocol('tls');
    $config->setSslCaCert("$folder/ca.pem");
    $config->setSslVerify(true);
    if ($external) {
        $config->setUser('');
        $config->setPassword('');
        $config->setLoginMethod(AMQPConnectionConfig::AUTH_EXTERNAL);
        $config->setSslCert("$folder/client.pem");
        $config->setSslKey("$folder/client-key.pem");
    }
    $channel = connect($run, $config)->channel();
    $queue = declared($run, $channel);
    send($channel, $queue, str_repeat('x', BODY_BYTES));
    equal(strlen(taken($channel, $queue)->getBody()), BODY_BYTES, 'length of the body');
}

$scenarios->add('tls', fn (Run $run) => secured($run, false));

$scenarios->add('tls-external', fn (Run $run) => secured($run, true));
