// What a publisher is promised: confirms, returns, and its properties and bodies unchanged. amqplib has no transactions.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { AMQPLIB, channelOf, connected } from './client.js';
import { text, until } from '../expect.js';

const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
const CHANNELS = 1000;
const LONG_SECONDS = 300;

AMQPLIB.scenario('confirmed-publish', (run) => connected(run, async (connection) => {
  const channel = await channelOf(connection, 'createConfirmChannel');
  const queue = run.queue();
  await channel.assertQueue(queue, { durable: true });
  let confirmed = 0;
  for (let number = 0; number < 500; number += 1) {
    channel.sendToQueue(queue, Buffer.from(String(number)), { persistent: number % 2 === 0 }, (error) => {
      confirmed += error ? 0 : 1;
    });
  }
  await channel.waitForConfirms();
  assert.equal(confirmed, 500);
  assert.equal((await channel.checkQueue(queue)).messageCount, 500);
}));

AMQPLIB.scenario('return', (run) => connected(run, async (connection) => {
  const channel = await channelOf(connection, 'createConfirmChannel');
  const queue = run.queue();
  const nowhere = run.queue('nowhere');
  await channel.assertQueue(queue);
  const events = [];
  channel.on('return', (message) => events.push(['return', message.fields.replyCode, message.fields.replyText, text(message)]));
  const publish = (key, body, mandatory) => channel.publish('', key, Buffer.from(body), { mandatory }, (error) => {
    events.push([error ? 'nack' : 'ack', body]);
  });
  publish(queue, 'routable', true);
  publish(nowhere, 'dropped', false);
  publish(nowhere, 'returned', true);
  await until(() => events.length >= 4, 'three acks and a return');
  assert.deepEqual(events.filter(([kind]) => kind === 'return'), [['return', 312, 'NO_ROUTE', 'returned']]);
  assert.deepEqual(events.filter(([kind]) => kind === 'ack').map(([, body]) => body).sort(), ['dropped', 'returned', 'routable']);
  const position = (kind) => events.findIndex((event) => event[0] === kind && event.at(-1) === 'returned');
  assert.ok(position('return') < position('ack'), 'the return comes before the ack');
}));

AMQPLIB.scenario('properties', (run) => connected(run, async (connection) => {
  const channel = await channelOf(connection);
  const queue = run.queue();
  await channel.assertQueue(queue);
  const headers = {
    text: 'grüße', empty: '', yes: true, no: false, byte: 5, short: 300, negative: -70000, large: 2 ** 40, double: 1.5,
    nothing: null, bytes: Buffer.from([0, 255]), moment: { '!': 'timestamp', value: 1700000000 },
    decimal: { '!': 'decimal', value: { places: 2, digits: 1234 } }, float: { '!': 'float', value: 0.5 },
    list: ['a', 1, [true, null], { deep: { deeper: ['bottom'] } }],
    table: { inner: { innermost: { number: 1 } }, empty: {} },
  };
  const sent = {
    contentType: 'application/json', contentEncoding: 'utf-8', deliveryMode: 2, priority: 9, correlationId: 'correlation',
    replyTo: 'reply', expiration: '600000', messageId: 'message', timestamp: 1700000000, type: 'type',
    userId: decodeURIComponent(new URL(run.url).username), appId: 'application',
  };
  channel.sendToQueue(queue, Buffer.from('{}'), { headers, ...sent });
  channel.sendToQueue(queue, Buffer.alloc(0));
  const message = await channel.get(queue, { noAck: true });
  assert.equal(text(message), '{}');
  assert.deepEqual({ ...message.properties.headers }, { ...headers, float: 0.5 });
  for (const [name, value] of Object.entries(sent)) assert.equal(message.properties[name], value, name);
  const empty = await channel.get(queue, { noAck: true });
  assert.equal(empty.content.length, 0);
}));

AMQPLIB.scenario('message-16mb', (run) => connected(run, async (connection) => {
  const channel = await channelOf(connection, 'createConfirmChannel');
  const queue = run.queue();
  await channel.assertQueue(queue);
  const body = Buffer.alloc(MESSAGE_BYTES_MAX);
  for (let place = 0; place < body.length; place += 4) body.writeUInt32LE((place * 2654435761) >>> 0, place);
  channel.sendToQueue(queue, body);
  await channel.waitForConfirms();
  const received = [];
  await channel.consume(queue, (message) => received.push(message), { noAck: true });
  await until(() => received.length, 'the large message');
  const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');
  assert.equal(received[0].content.length, body.length);
  assert.equal(digest(received[0].content), digest(body));
}), LONG_SECONDS);

AMQPLIB.scenario('channels-1000', (run) => connected(run, async (connection) => {
  const channels = await Promise.all(Array.from({ length: CHANNELS }, () => channelOf(connection)));
  assert.equal(new Set(channels.map((channel) => channel.ch)).size, CHANNELS);
  const queue = run.queue();
  await channels[0].assertQueue(queue);
  const received = [];
  await Promise.all(channels.map(async (channel) => {
    await channel.prefetch(1);
    await channel.consume(queue, (message) => received.push({ channel, message }));
  }));
  for (const channel of channels) channel.sendToQueue(queue, Buffer.from(String(channel.ch)));
  await until(() => received.length >= CHANNELS, 'a message on every channel');
  assert.equal(new Set(received.map(({ channel }) => channel.ch)).size, CHANNELS);
  assert.equal(new Set(received.map(({ message }) => text(message))).size, CHANNELS);
  for (const { channel, message } of received) channel.ack(message);
  await Promise.all(channels.map((channel) => channel.close()));
}), LONG_SECONDS);
