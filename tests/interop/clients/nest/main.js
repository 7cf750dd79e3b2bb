// Nest's microservices over Transport.RMQ, which stands on amqp-connection-manager.

import './core.js';
import './patterns.js';
import { NEST } from './application.js';

await NEST.main();
