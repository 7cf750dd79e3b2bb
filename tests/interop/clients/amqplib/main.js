// Node's amqplib, with its promise API.

import './core.js';
import './delivery.js';
import './errors.js';
import './publishing.js';
import './tls.js';
import './tutorials.js';
import { AMQPLIB } from './client.js';

await AMQPLIB.main();
