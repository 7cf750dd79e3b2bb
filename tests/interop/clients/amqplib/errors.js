// What goes wrong for one channel or one connection, and stays there.

import assert from 'node:assert/strict';
import { AMQPLIB, channelOf, connected } from './client.js';
import { text, until } from '../expect.js';

/** The error with which the attempt must fail. */
async function failure(attempt) {
  try {
    await attempt();
  } catch (error) {
    return error;
  }
  return assert.fail('no error');
}

AMQPLIB.scenario('channel-error', (run) => connected(run, async (connection, errors) => {
  const bystander = await channelOf(connection);
  const queue = run.queue();
  const absent = run.queue('absent');
  await bystander.assertQueue(queue, { durable: true });
  const attempts = [
    [404, `no queue '${absent}'`, (channel) => channel.checkQueue(absent)],
    [404, `no exchange '${absent}'`, (channel) => channel.checkExchange(absent)],
    [406, `inequivalent arg 'durable' for queue '${queue}'`, (channel) => channel.assertQueue(queue, { durable: false })],
    [406, 'inequivalent arg \'x-message-ttl\'', (channel) => channel.assertQueue(queue, { messageTtl: 1000 })],
    [403, 'reserved prefix', (channel) => channel.assertQueue('amq.mine')],
  ];
  for (const [code, reason, attempt] of attempts) {
    const channel = await channelOf(connection);
    const error = await failure(() => attempt(channel));
    assert.equal(error.code, code);
    assert.ok(error.message.includes(reason), `${reason} is missing from ${error.message}`);
    bystander.sendToQueue(queue, Buffer.from('going on'));
    assert.equal(text(await bystander.get(queue, { noAck: true })), 'going on');
  }
  // A publish has no answer: its error comes as an event.
  const channel = await channelOf(connection);
  channel.publish(absent, '', Buffer.from(''));
  await until(() => channel.errors.length, 'the error of the publish');
  assert.equal(channel.errors[0].code, 404);
  assert.deepEqual(errors, []);
}));

AMQPLIB.scenario('exclusive-queue', (run) => connected(run, async (other) => {
  const queue = run.queue();
  await connected(run, async (owner) => {
    await (await channelOf(owner)).assertQueue(queue, { exclusive: true });
    const attempts = [
      (channel) => channel.checkQueue(queue),
      (channel) => channel.consume(queue, () => {}),
      (channel) => channel.bindQueue(queue, 'amq.fanout', ''),
    ];
    for (const attempt of attempts) {
      const channel = await channelOf(other);
      const error = await failure(() => attempt(channel));
      assert.equal(error.code, 405);
      assert.ok(error.message.includes(`exclusive access to locked queue '${queue}'`), error.message);
    }
  });
  await (await channelOf(other)).assertQueue(queue);
}));
