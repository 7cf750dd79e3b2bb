// How messages reach consumers and come back: get, nack, the end of a queue, heartbeats.

import assert from 'node:assert/strict';
import { AMQPLIB, channelOf, connected } from './client.js';
import { idle, text, until } from '../expect.js';

const HEARTBEAT_SECONDS = 6;

AMQPLIB.scenario('get', (run) => connected(run, async (connection) => {
  const channel = await channelOf(connection);
  const queue = run.queue();
  await channel.assertQueue(queue);
  assert.equal(await channel.get(queue), false);
  for (const body of ['first', 'second']) channel.sendToQueue(queue, Buffer.from(body));
  const first = await channel.get(queue);
  assert.deepEqual([text(first), first.fields.messageCount, first.fields.redelivered], ['first', 1, false]);
  channel.ack(first);
  assert.equal((await channel.purgeQueue(queue)).messageCount, 1);
  assert.equal(await channel.get(queue), false);
}));

AMQPLIB.scenario('nack-requeue', (run) => connected(run, async (connection) => {
  const channel = await channelOf(connection);
  const queue = run.queue();
  await channel.assertQueue(queue);
  for (const body of ['a', 'b', 'c']) channel.sendToQueue(queue, Buffer.from(body));
  const seen = (message) => [text(message), message.fields.redelivered];
  const taken = [await channel.get(queue), await channel.get(queue)];
  assert.deepEqual(taken.map(seen), [['a', false], ['b', false]]);
  channel.nackAll(true);
  const again = [await channel.get(queue), await channel.get(queue)];
  assert.deepEqual(again.map(seen), [['a', true], ['b', true]]);
  channel.reject(again[0], false);
  channel.nack(again[1], false, true);
  assert.deepEqual(seen(await channel.get(queue, { noAck: true })), ['b', true]);
  const last = await channel.get(queue);
  assert.deepEqual(seen(last), ['c', false]);
  await channel.recover();
  assert.deepEqual(seen(await channel.get(queue, { noAck: true })), ['c', true]);
  assert.equal(await channel.get(queue), false);
}));

AMQPLIB.scenario('cancel-notify', (run) => connected(run, (other) => connected(run, async (connection) => {
  const channel = await channelOf(connection);
  const queue = run.queue();
  await channel.assertQueue(queue);
  const received = [];
  await channel.consume(queue, (message) => received.push(message));
  await (await channelOf(other)).deleteQueue(queue);
  // amqplib tells a cancelled consumer with a null message.
  await until(() => received.length, 'the cancellation');
  assert.deepEqual(received, [null]);
  await channel.assertQueue(queue);
})));

AMQPLIB.scenario('heartbeat', (run) => connected(run, async (connection, errors) => {
  const channel = await channelOf(connection);
  const queue = run.queue();
  await channel.assertQueue(queue);
  // Being idle is what is tested: amqplib gives up a connection from which it misses two heartbeats.
  await idle(3000 * HEARTBEAT_SECONDS);
  assert.deepEqual(errors, []);
  channel.sendToQueue(queue, Buffer.from('still here'));
  assert.equal(text(await channel.get(queue, { noAck: true })), 'still here');
}, `?heartbeat=${HEARTBEAT_SECONDS}`));
