// How the scenarios configure, connect and clean up with rascal.

import assert from 'node:assert/strict';
import rascal from 'rascal';
import { clean } from '../amqplib/client.js';
import { Scenarios } from '../scenario.js';

// How long a subscription that is closed waits for messages that were not acked: without it, for ever.
const CLOSE_MILLISECONDS = 1000;
const RETRY = { min: 50, max: 200, factor: 2, strategy: 'exponential' };

/** Calls `body` with a broker of this configuration, which is shut down afterwards, and the errors that it told. */
export async function configured(config, body, components = {}) {
  const defaults = { subscriptions: { closeTimeout: CLOSE_MILLISECONDS } };
  const complete = rascal.withDefaultConfig({ defaults, ...config });
  const broker = await rascal.BrokerAsPromised.create(complete, components).catch(async (error) => {
    // The broker that could not be made comes with the error, and has to be shut down too.
    await error[error.broker]?.shutdown();
    throw error;
  });
  const errors = [];
  broker.on('error', (error) => errors.push(error));
  try {
    return await body(broker, errors);
  } finally {
    await broker.shutdown();
  }
}

/** A configuration with the virtual host of the run's URL, by the name `v`. */
export function at(url, vhost, rest = {}) {
  return { vhosts: { v: { connection: { url, retry: RETRY }, ...vhost } }, ...rest };
}

/** A scenario with one broker, whose configuration is made for the run. No error may be told. */
export function scenario(name, make) {
  RASCAL.scenario(name, (run) => {
    const { config, body } = make(run);
    return configured(config, async (broker, errors) => {
      await body(broker);
      assert.deepEqual(errors, []);
    });
  });
}

/** Publishes and waits for the confirm: the id of the message. */
export async function published(broker, publication, payload, overrides) {
  const session = await broker.publish(publication, payload, overrides);
  return new Promise((resolve, reject) => {
    session.on('success', resolve).on('error', reject).on('return', () => reject(new Error('returned')));
  });
}

/** Subscribes and lists what comes; each is { content, message, settle }. */
export async function subscribed(broker, name, overrides = {}) {
  const received = [];
  received.errors = [];
  received.session = await broker.subscribe(name, overrides);
  const ready = new Promise((resolve) => { received.session.on('subscribed', resolve); });
  received.session
    .on('error', (error) => received.errors.push(error))
    .on('message', (message, content, settle) => received.push({ content, message, settle }));
  await ready;
  return received;
}

export const RASCAL = new Scenarios('rascal', clean);
