// How the scenarios connect and clean up with amqp-connection-manager.

import { connect } from 'amqp-connection-manager';
import { clean } from '../amqplib/client.js';
import { Scenarios } from '../scenario.js';

const RECONNECT_SECONDS = 0.1;

/** Calls `body` with a manager that is connected, or will be, and is closed afterwards. */
export async function managed(urls, body) {
  const manager = connect(urls, { reconnectTimeInSeconds: RECONNECT_SECONDS });
  try {
    return await body(manager);
  } finally {
    await manager.close();
  }
}

/** A wrapper that is ready, whose errors are kept in `wrapper.errors`. */
export async function wrapped(manager, options = {}) {
  const wrapper = manager.createChannel(options);
  wrapper.errors = [];
  wrapper.on('error', (error) => wrapper.errors.push(error));
  await wrapper.waitForConnect();
  return wrapper;
}

export const MANAGER = new Scenarios('amqp-connection-manager', clean);
