// How the scenarios connect, wait and clean up with amqplib.

import amqp from 'amqplib';
import { Scenarios } from '../scenario.js';

const CONNECT_MILLISECONDS = 60_000;

/** Calls `body` with a connection that is closed afterwards, whatever happened. */
export async function connected(run, body, options = '', url = run.url) {
  const connection = await amqp.connect(url + options, { timeout: CONNECT_MILLISECONDS });
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

/** Deletes what a scenario made, for all clients that stand on amqplib. */
export async function clean(run) {
  if (run.made.length === 0) return;
  await connected(run, async (connection) => {
    const channel = await channelOf(connection);
    for (const { kind, name } of run.made) {
      await (kind === 'queue' ? channel.deleteQueue(name) : channel.deleteExchange(name));
    }
  });
}

export const AMQPLIB = new Scenarios('amqplib', clean);
