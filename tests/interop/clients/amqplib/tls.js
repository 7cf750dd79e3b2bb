// TLS: the same messages, and a login by certificate.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import amqp from 'amqplib';
import { AMQPLIB, channelOf } from './client.js';

const CONNECT_MILLISECONDS = 60_000;
const LARGE_BYTES = 4 * 1024 * 1024;

const file = (name) => readFileSync(join(process.env.INTEROP_CERTIFICATES, name));

async function secured(options, body) {
  const given = { timeout: CONNECT_MILLISECONDS, ca: [file('ca.pem')], servername: 'localhost', ...options };
  const connection = await amqp.connect(process.env.INTEROP_TLS_URL, given);
  connection.on('error', () => {});
  try {
    return await body(connection);
  } finally {
    await connection.close().catch(() => {});
  }
}

const roundTrip = (run) => async (connection) => {
  const channel = await channelOf(connection, 'createConfirmChannel');
  const queue = run.queue();
  await channel.assertQueue(queue);
  const bodies = [Buffer.from('small'), randomBytes(LARGE_BYTES), Buffer.alloc(0)];
  for (const body of bodies) channel.sendToQueue(queue, body);
  await channel.waitForConfirms();
  for (const body of bodies) {
    const message = await channel.get(queue, { noAck: true });
    assert.ok(message.content.equals(body), `${message.content.length} bytes, not those ${body.length} that were sent`);
  }
};

if (process.env.INTEROP_TLS_URL) {
  AMQPLIB.scenario('tls', (run) => secured({}, roundTrip(run)));

  AMQPLIB.scenario('tls-external', async (run) => {
    const certificate = { cert: file('client.pem'), key: file('client-key.pem') };
    const credentials = amqp.credentials.external();
    await secured({ ...certificate, credentials }, roundTrip(run));
    await assert.rejects(secured({ credentials }, async () => {}), 'EXTERNAL without a certificate');
  });
}
