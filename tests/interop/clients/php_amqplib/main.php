<?php

// PHP's php-amqplib, from Debian's package.

declare(strict_types=1);

ini_set('display_errors', 'stderr');

require '/usr/share/php/PhpAmqpLib/autoload.php';
require __DIR__ . '/scenarios.php';
require __DIR__ . '/client.php';

$scenarios = new Scenarios('php-amqplib', 'clean');
require __DIR__ . '/core.php';
require __DIR__ . '/delivering.php';
require __DIR__ . '/errors.php';
require __DIR__ . '/publishing.php';
require __DIR__ . '/reconnect.php';
require __DIR__ . '/tls.php';

$scenarios->main($argv);
