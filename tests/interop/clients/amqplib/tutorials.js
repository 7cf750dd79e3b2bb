// The six tutorials, and direct reply-to.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { AMQPLIB, channelOf, connected } from './client.js';
import { text, until } from '../expect.js';

const END = 'end';

AMQPLIB.scenario('hello', (run) => connected(run, async (connection) => {
  const channel = await channelOf(connection);
  const queue = run.queue('hello');
  assert.deepEqual({ ...await channel.assertQueue(queue, { durable: false }) }, { queue, messageCount: 0, consumerCount: 0 });
  channel.sendToQueue(queue, Buffer.from('Hello World!'));
  const received = [];
  await channel.consume(queue, (message) => received.push(message), { noAck: true });
  await until(() => received.length, 'the message');
  assert.equal(text(received[0]), 'Hello World!');
  const { exchange, routingKey, redelivered } = received[0].fields;
  assert.deepEqual({ exchange, routingKey, redelivered }, { exchange: '', routingKey: queue, redelivered: false });
}));

AMQPLIB.scenario('work-queue', (run) => connected(run, async (connection) => {
  const queue = run.queue('task_queue');
  const tasks = Array.from({ length: 20 }, (_, number) => `task ${number}`);
  const [publishing, busy, free] = await Promise.all([1, 2, 3].map(() => channelOf(connection)));
  await publishing.assertQueue(queue, { durable: true });
  const held = [];
  const done = [];
  await busy.prefetch(1);
  await free.prefetch(1);
  await busy.consume(queue, (message) => held.push(text(message)));
  publishing.sendToQueue(queue, Buffer.from(tasks[0]), { persistent: true });
  await until(() => held.length, 'the first task at the busy worker');
  await free.consume(queue, (message) => {
    done.push(text(message));
    free.ack(message);
  });
  for (const task of tasks.slice(1)) publishing.sendToQueue(queue, Buffer.from(task), { persistent: true });
  await until(() => done.length >= tasks.length - 1, 'the other tasks at the free worker');
  assert.deepEqual(done, tasks.slice(1));
  assert.deepEqual(held, tasks.slice(0, 1));
  await busy.close();
  await until(() => done.length === tasks.length, 'the task of the worker that left');
}));

AMQPLIB.scenario('publish-subscribe', (run) => connected(run, async (connection) => {
  const channel = await channelOf(connection);
  const { exchange } = await channel.assertExchange(run.exchange('logs'), 'fanout', { durable: false });
  const logs = Array.from({ length: 10 }, (_, number) => `line ${number}`);
  const received = [[], []];
  for (const lines of received) {
    const { queue } = await channel.assertQueue('', { exclusive: true });
    await channel.bindQueue(queue, exchange, '');
    await channel.consume(queue, (message) => lines.push(text(message)), { noAck: true });
  }
  for (const line of logs) channel.publish(exchange, '', Buffer.from(line));
  await until(() => received.every((lines) => lines.length >= logs.length), 'all lines at both');
  assert.deepEqual(received, [logs, logs]);
}));

/** Publishes one message a key, with its headers if any, and returns what each queue got, by the queue's label. */
function routed(run, kind, bindings, messages) {
  return connected(run, async (connection) => {
    const channel = await channelOf(connection);
    const { exchange } = await channel.assertExchange(run.exchange(kind), kind, { durable: false });
    const got = {};
    for (const [label, patterns] of Object.entries(bindings)) {
      const { queue } = await channel.assertQueue('', { exclusive: true });
      for (const { key = '', headers } of patterns) await channel.bindQueue(queue, exchange, key, headers);
      got[label] = { queue, bodies: [] };
    }
    for (const { body, key = body, headers } of messages) channel.publish(exchange, key, Buffer.from(body), { headers });
    for (const [label, { queue, bodies }] of Object.entries(got)) {
      channel.sendToQueue(queue, Buffer.from(END));
      await channel.consume(queue, (message) => bodies.push(text(message)), { noAck: true });
      await until(() => bodies.includes(END), `the end of ${label}`);
    }
    return Object.fromEntries(Object.entries(got).map(([label, { bodies }]) => [label, bodies.slice(0, -1)]));
  });
}

const keys = (...names) => names.map((key) => ({ key }));
const bodies = (...names) => names.map((body) => ({ body }));

AMQPLIB.scenario('routing', async (run) => {
  const bindings = { errors: keys('error'), all: keys('info', 'warning', 'error') };
  assert.deepEqual(await routed(run, 'direct', bindings, bodies('info', 'error', 'debug', 'warning', 'error')), {
    errors: ['error', 'error'],
    all: ['info', 'error', 'warning', 'error'],
  });
});

AMQPLIB.scenario('topics', async (run) => {
  const bindings = { kernel: keys('kern.*'), critical: keys('*.critical'), both: keys('kern.*', '*.critical'), all: keys('#') };
  const published = ['kern.info', 'kern.critical', 'app.critical', 'app.info', 'kern', 'a.kern.critical', ''];
  const messages = published.map((key) => ({ key, body: key }));
  assert.deepEqual(await routed(run, 'topic', bindings, messages), {
    kernel: ['kern.info', 'kern.critical'],
    critical: ['kern.critical', 'app.critical'],
    both: ['kern.info', 'kern.critical', 'app.critical'],
    all: published,
  });
});

AMQPLIB.scenario('headers', async (run) => {
  const bindings = {
    all: [{ headers: { 'x-match': 'all', format: 'pdf', pages: 3 } }],
    any: [{ headers: { 'x-match': 'any', format: 'pdf', pages: 3 } }],
    plain: [{ headers: { format: 'pdf' } }],
  };
  const messages = [
    { body: 'both', headers: { format: 'pdf', pages: 3, other: true } },
    { body: 'format', headers: { format: 'pdf' } },
    { body: 'pages', headers: { format: 'txt', pages: 3 } },
    { body: 'text number', headers: { format: 'txt', pages: '3' } },
    { body: 'none' },
  ];
  assert.deepEqual(await routed(run, 'headers', bindings, messages), {
    all: ['both'],
    any: ['both', 'format', 'pages'],
    plain: ['both', 'format'],
  });
});

AMQPLIB.scenario('rpc', (run) => call(run, null));

AMQPLIB.scenario('rpc-reply-to', (run) => call(run, 'amq.rabbitmq.reply-to'));

const fibonacci = (n) => Array.from({ length: n }).reduce(([a, b]) => [b, a + b], [0, 1])[0];

/** Server and client of the sixth tutorial, each with its connection. */
function call(run, replyQueue) {
  return connected(run, (server) => connected(run, async (client) => {
    const queue = run.queue('rpc_queue');
    const serving = await channelOf(server);
    await serving.assertQueue(queue, { durable: false });
    await serving.consume(queue, (message) => {
      const { replyTo, correlationId } = message.properties;
      serving.sendToQueue(replyTo, Buffer.from(String(fibonacci(Number(text(message))))), { correlationId });
      serving.ack(message);
    });
    const calling = await channelOf(client);
    const replyTo = replyQueue ?? (await calling.assertQueue('', { exclusive: true })).queue;
    const replies = new Map();
    await calling.consume(replyTo, (message) => replies.set(message.properties.correlationId, text(message)), { noAck: true });
    const requests = new Map([30, 31, 32].map((number) => [randomUUID(), number]));
    for (const [correlationId, number] of requests) {
      calling.sendToQueue(queue, Buffer.from(String(number)), { replyTo, correlationId });
    }
    await until(() => replies.size === requests.size, 'a reply to every request');
    for (const [correlationId, number] of requests) assert.equal(replies.get(correlationId), String(fibonacci(number)));
  }));
}
