// How the scenarios connect, wait and clean up with amqplib.

import assert from 'node:assert/strict';
import amqp from 'amqplib';
import { Scenarios } from './scenario.js';

const CONNECT_MILLISECONDS = 10_000;
const WAIT_MILLISECONDS = 10_000;
const POLL_MILLISECONDS = 20;

/** Calls `body` with a connection that is closed afterwards, whatever happened. */
export async function connected(run, body, options = '') {
  const connection = await amqp.connect(run.url + options, { timeout: CONNECT_MILLISECONDS });
  // An error reaches the scenario by the call that failed; without a listener Node would end the process.
  const errors = [];
  connection.on('error', (error) => errors.push(error));
  try {
    return await body(connection, errors);
  } finally {
    await connection.close().catch(() => {});
  }
}

/** A channel whose errors are kept in `channel.errors`. */
export async function channelOf(connection, kind = 'createChannel') {
  const channel = await connection[kind]();
  channel.errors = [];
  channel.on('error', (error) => channel.errors.push(error));
  return channel;
}

export const AMQPLIB = new Scenarios('amqplib', async (run) => {
  if (run.made.length === 0) return;
  await connected(run, async (connection) => {
    const channel = await channelOf(connection);
    for (const { kind, name } of run.made) {
      await (kind === 'queue' ? channel.deleteQueue(name) : channel.deleteExchange(name));
    }
  });
});

/** Lets the event loop run until the condition holds. */
export async function until(condition, what) {
  const ends = performance.now() + WAIT_MILLISECONDS;
  while (!condition()) {
    assert.ok(performance.now() < ends, `not within ${WAIT_MILLISECONDS / 1000} seconds: ${what}`);
    await idle(POLL_MILLISECONDS);
  }
}

export const idle = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export const text = (message) => message.content.toString();
