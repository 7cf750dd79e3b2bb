// What every client has, with the methods of a ChannelWrapper.

import assert from 'node:assert/strict';
import { text, until } from '../expect.js';
import { MANAGER, managed, wrapped } from './client.js';

const PREFETCH = 2;

/** A scenario with one wrapper. */
function scenario(name, body, options) {
  MANAGER.scenario(name, (run) => managed(run.url, async (manager) => {
    const channel = await wrapped(manager, options);
    await body(run, channel, manager);
    assert.deepEqual(channel.errors, []);
  }));
}

MANAGER.scenario('declare', (run) => managed(run.url, async (manager) => {
  const disconnects = [];
  manager.on('disconnect', ({ err }) => disconnects.push(err));
  const channel = await wrapped(manager);
  for (const kind of ['direct', 'fanout', 'topic', 'headers']) {
    const exchange = run.exchange(kind);
    for (let time = 0; time < 2; time += 1) await channel.assertExchange(exchange, kind);
    await channel.checkExchange(exchange);
    await channel.deleteExchange(exchange);
  }
  const queue = run.queue();
  const options = { durable: true, maxLength: 10, messageTtl: 60_000, maxPriority: 5 };
  for (let time = 0; time < 2; time += 1) {
    assert.deepEqual({ ...await channel.assertQueue(queue, options) }, { queue, messageCount: 0, consumerCount: 0 });
  }
  // The wrapper leaves errors of its channel to whoever listens; amqplib ends a connection where nobody does.
  const setup = async (beneath) => beneath.on('error', () => {});
  const refusing = await wrapped(manager, { setup });
  await assert.rejects(refusing.assertQueue(queue, { ...options, maxLength: 11 }), { code: 406 });
  assert.equal((await channel.checkQueue(queue)).queue, queue);
  assert.equal((await channel.deleteQueue(queue)).messageCount, 0);
  const missing = await wrapped(manager, { setup });
  await assert.rejects(missing.checkQueue(queue), { code: 404 });
  assert.equal((await channel.assertQueue(queue)).messageCount, 0);
  assert.deepEqual(disconnects, []);
}));

scenario('bind', async (run, channel) => {
  const [front, back] = [run.exchange('front'), run.exchange('back')];
  const queue = run.queue();
  await channel.assertExchange(front, 'direct');
  await channel.assertExchange(back, 'topic');
  await channel.assertQueue(queue);
  await channel.bindExchange(back, front, 'order.paid');
  await channel.bindQueue(queue, back, 'order.*');
  const arrived = async (exchange, key) => {
    await channel.publish(exchange, key, key);
    return (await channel.purgeQueue(queue)).messageCount;
  };
  assert.deepEqual([await arrived(front, 'order.paid'), await arrived(front, 'order.sent')], [1, 0]);
  await channel.unbindExchange(back, front, 'order.paid');
  assert.deepEqual([await arrived(front, 'order.paid'), await arrived(back, 'order.sent')], [0, 1]);
  await channel.unbindQueue(queue, back, 'order.*');
  assert.equal(await arrived(back, 'order.sent'), 0);
});

// A publish is a promise that the confirm keeps, and JSON is made of what is not a string.
scenario('confirmed-publish', async (run, channel) => {
  const queue = run.queue();
  await channel.assertQueue(queue, { maxLength: 2000, arguments: { 'x-overflow': 'reject-publish' } });
  const numbers = Array.from({ length: 2000 }, (_, number) => number);
  await Promise.all(numbers.map((number) => channel.sendToQueue(queue, { number }, { persistent: true })));
  assert.equal((await channel.checkQueue(queue)).messageCount, numbers.length);
  await assert.rejects(channel.sendToQueue(queue, { number: -1 }), /nacked/, 'the queue is full');
  const first = await channel.get(queue, { noAck: true });
  assert.deepEqual(JSON.parse(text(first)), { number: 0 });
}, { json: true });

scenario('consume-ack-prefetch', async (run, publishing, manager) => {
  const queue = run.queue();
  await publishing.assertQueue(queue);
  const bodies = Array.from({ length: 10 }, (_, number) => `task ${number}`);
  await Promise.all(bodies.map((body) => publishing.sendToQueue(queue, body)));
  const channel = await wrapped(manager);
  const received = [];
  await channel.consume(queue, (message) => received.push(message), { prefetch: PREFETCH });
  for (let acked = 0; acked < 4; acked += 1) {
    await until(() => received.length === acked + PREFETCH, 'as many as the prefetch');
    assert.equal((await publishing.checkQueue(queue)).messageCount, bodies.length - acked - PREFETCH);
    channel.ack(received[acked]);
  }
  await until(() => received.length === 4 + PREFETCH, 'another for each that was acked');
  await channel.close();
  const rest = [];
  for (let message = await publishing.get(queue); message; message = await publishing.get(queue)) rest.push(message);
  assert.deepEqual(rest.map(text), bodies.slice(4));
  assert.deepEqual(rest.map(({ fields }) => fields.redelivered), [true, true, false, false, false, false]);
  publishing.ackAll();
});

// The wrapper has no returns of its own: a setup function listens to the channel beneath.
scenario('return', async (run, channel) => {
  const nowhere = run.queue('nowhere');
  const returned = [];
  await channel.addSetup(async (beneath) => beneath.on('return', (message) => returned.push(message)));
  await channel.sendToQueue(nowhere, 'dropped');
  await channel.sendToQueue(nowhere, 'returned', { mandatory: true });
  // The return comes before the confirm.
  assert.deepEqual(returned.map(({ fields, content }) => [fields.replyCode, fields.replyText, String(content)]), [[312, 'NO_ROUTE', 'returned']]);
});

scenario('get', async (run, channel) => {
  const queue = run.queue();
  await channel.assertQueue(queue);
  assert.equal(await channel.get(queue), false);
  for (const body of ['first', 'second']) await channel.sendToQueue(queue, body);
  const first = await channel.get(queue);
  assert.deepEqual([text(first), first.fields.messageCount], ['first', 1]);
  channel.nack(first, false, true);
  const again = await channel.get(queue);
  assert.deepEqual([text(again), again.fields.redelivered], ['first', true]);
  channel.ack(again);
  assert.equal(text(await channel.get(queue, { noAck: true })), 'second');
  assert.equal(await channel.get(queue), false);
});

scenario('rpc-reply-to', async (run, channel, manager) => {
  const queue = run.queue('rpc');
  const server = await wrapped(manager);
  await server.assertQueue(queue);
  await server.consume(queue, (message) => {
    const { replyTo, correlationId } = message.properties;
    server.sendToQueue(replyTo, String(Number(text(message)) ** 2), { correlationId });
    server.ack(message);
  });
  const replies = new Map();
  await channel.consume('amq.rabbitmq.reply-to', (message) => replies.set(message.properties.correlationId, text(message)), { noAck: true });
  for (const number of [3, 4, 5]) {
    await channel.sendToQueue(queue, String(number), { replyTo: 'amq.rabbitmq.reply-to', correlationId: `square of ${number}` });
  }
  await until(() => replies.size === 3, 'three replies');
  assert.deepEqual(Object.fromEntries(replies), { 'square of 3': '9', 'square of 4': '16', 'square of 5': '25' });
});

scenario('ttl-dead-letter', async (run, channel) => {
  const [waiting, dead] = [run.queue('waiting'), run.queue('dead')];
  await channel.assertQueue(dead);
  await channel.assertQueue(waiting, { messageTtl: 50, deadLetterExchange: '', deadLetterRoutingKey: dead });
  const letters = [];
  await channel.consume(dead, (message) => letters.push(message), { noAck: true });
  await channel.sendToQueue(waiting, 'expires', { headers: { kept: 'yes' } });
  await until(() => letters.length === 1, 'the message that expired');
  const [{ count, reason, queue }] = letters[0].properties.headers['x-death'];
  assert.deepEqual({ count, reason, queue }, { count: 1, reason: 'expired', queue: waiting });
  assert.deepEqual([text(letters[0]), letters[0].properties.headers.kept], ['expires', 'yes']);
});
