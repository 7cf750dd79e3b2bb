// Virtual hosts that rascal makes, looks for and deletes with the HTTP API.

import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { until } from '../expect.js';
import { RASCAL, configured, published, subscribed } from './client.js';

const management = process.env.INTEROP_MANAGEMENT_URL;

if (management) {
  RASCAL.scenario('vhost', async (run) => {
    const name = `interop.${process.env.INTEROP_RUN}.rascal`;
    const { hostname, port, username, password } = new URL(run.url);
    const connection = { hostname, port, user: username, password, management: { url: management } };
    const config = (options) => ({ vhosts: { [name]: { ...options, connection, queues: ['inner'] } } });
    // Rascal does not read the bodies of errors, and so leaves their connections open: they end with this agent.
    const agent = new Agent();
    const inside = (options, body) => configured(config(options), body, { agent });
    try {
      await assert.rejects(inside({ check: true }, () => {}), /returned status 404/);
      await inside({ assert: true }, async (broker) => {
        const received = await subscribed(broker, `${name}/inner`);
        await published(broker, `${name}/inner`, 'in a virtual host of its own');
        await until(() => received.length === 1, 'the message');
        received[0].settle();
      });
      await inside({ assert: true, check: true }, (broker) => broker.nuke());
      await assert.rejects(inside({ check: true }, () => {}), /returned status 404/);
    } finally {
      agent.destroy();
    }
  });
} else {
  RASCAL.notApplicable('vhost', 'the address of the HTTP API is not known');
}
