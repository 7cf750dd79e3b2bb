// Node's amqp-connection-manager: amqplib with connections and channels that come back.

import './core.js';
import './recovery.js';
import { MANAGER } from './client.js';

await MANAGER.main();
