// Node's rascal: a configuration of virtual hosts, queues, publications and subscriptions.

import './core.js';
import './recovery.js';
import './vhosts.js';
import { RASCAL } from './client.js';

await RASCAL.main();
