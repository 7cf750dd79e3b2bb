// What the manager is there for: connections, channels, consumers and messages that outlive a broker that is restarted.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Received, text, until } from '../expect.js';
import { MANAGER, managed, wrapped } from './client.js';

const PREFETCH = 2;
const RESTARTS_SECONDS = 300;

MANAGER.scenario('reconnect', (run) => managed(run.restartUrl, async (manager) => {
  const queue = run.queue();
  const channel = await wrapped(manager, { setup: (beneath) => beneath.assertQueue(queue, { durable: true }) });
  const send = (bodies) => Promise.all(bodies.map((body) => channel.sendToQueue(queue, body, { persistent: true })));
  const received = new Received([]);
  let held = 0;
  let hold = true;
  await channel.consume(queue, (message) => {
    received.add(text(message), message.fields.redelivered);
    if (hold) held += 1;
    else channel.ack(message);
  }, { prefetch: PREFETCH });
  for (const how of ['stop', 'kill']) {
    [hold, held] = [true, 0];
    const bodies = Array.from({ length: 30 }, (_, number) => `${how} ${number}`);
    received.expect(bodies);
    await send(bodies);
    await until(() => held === PREFETCH, 'as many as the prefetch');
    hold = false;
    const disconnected = once(manager, 'disconnect');
    await run.restart(how);
    await disconnected;
    received.expect([`after ${how}`]);
    await send([`after ${how}`]);
    await received.all(`everything that was confirmed before the ${how}`);
  }
  await until(async () => (await channel.checkQueue(queue)).messageCount === 0, 'an empty queue');
  assert.deepEqual(channel.errors, []);
}), RESTARTS_SECONDS);

// A queue that goes with its connection is there again, bound and consumed, because the setup functions ran once more.
MANAGER.scenario('reconnect-setup', (run) => managed(run.restartUrl, async (manager) => {
  const setups = [];
  const received = [];
  const channel = await wrapped(manager, {
    setup: async (beneath) => {
      setups.push('first');
      const { queue } = await beneath.assertQueue('', { exclusive: true });
      await beneath.bindQueue(queue, 'amq.topic', `${run.scenario}.#`);
      await beneath.consume(queue, (message) => received.push(text(message)), { noAck: true });
    },
  });
  await channel.addSetup(async () => { setups.push('second'); });
  const removed = async () => { setups.push('removed'); };
  await channel.addSetup(removed);
  await channel.removeSetup(removed);
  assert.deepEqual(setups, ['first', 'second', 'removed']);
  for (const how of ['stop', 'kill']) {
    setups.length = 0;
    const connected = once(channel, 'connect');
    await run.restart(how);
    await connected;
    assert.deepEqual(setups, ['first', 'second']);
    await channel.publish('amq.topic', `${run.scenario}.key`, how);
    await until(() => received.includes(how), 'a message by the new queue');
  }
  assert.deepEqual(received, ['stop', 'kill']);
}), RESTARTS_SECONDS);

MANAGER.scenario('reconnect-publish', (run) => managed(run.restartUrl, async (manager) => {
  const queue = run.queue();
  const channel = await wrapped(manager, { setup: (beneath) => beneath.assertQueue(queue, { durable: true }) });
  const bodies = Array.from({ length: 100 }, (_, number) => `message ${number}`);
  const sent = once(manager, 'disconnect').then(() => {
    assert.equal(manager.isConnected(), false);
    const promises = bodies.map((body) => channel.sendToQueue(queue, body, { persistent: true }));
    assert.equal(channel.queueLength(), bodies.length);
    return Promise.all(promises);
  });
  await run.restart('kill');
  await sent;
  assert.equal(channel.queueLength(), 0);
  const got = [];
  for (let message = await channel.get(queue); message; message = await channel.get(queue)) got.push(text(message));
  assert.deepEqual(got, bodies, 'in order');
}), RESTARTS_SECONDS);

MANAGER.scenario('next-address', async (run) => {
  // A port that no broker of another client is ever given.
  const nobody = 'amqp://guest:guest@127.0.0.1:1';
  await managed([nobody, run.url], async (manager) => {
    const failures = [];
    manager.on('connectFailed', ({ url }) => failures.push(url));
    const channel = await wrapped(manager);
    const queue = run.queue();
    await channel.assertQueue(queue);
    await channel.sendToQueue(queue, 'at the second');
    assert.equal(text(await channel.get(queue, { noAck: true })), 'at the second');
    assert.deepEqual(failures, [nobody]);
  });
});

// A manager that is told to leave its connection takes its consumers along to the next.
MANAGER.scenario('consumer-comes-back', (run) => managed(run.url, async (manager) => {
  const queue = run.queue();
  const received = [];
  const channel = await wrapped(manager, { setup: (beneath) => beneath.assertQueue(queue) });
  await channel.consume(queue, (message) => received.push(text(message)), { noAck: true });
  await channel.sendToQueue(queue, 'before');
  await until(() => received.length === 1, 'the first message');
  const connected = once(channel, 'connect');
  manager.reconnect();
  await connected;
  await channel.sendToQueue(queue, 'after');
  await until(() => received.length === 2, 'the second message');
  assert.deepEqual(received, ['before', 'after']);
  assert.equal((await channel.checkQueue(queue)).consumerCount, 1);
}));

// What is sent while publishers are blocked is a promise that is kept when they are not any more.
MANAGER.scenario('blocked', (run) => managed(run.restartUrl, async (manager) => {
  const queue = run.queue();
  const channel = await wrapped(manager, { setup: (beneath) => beneath.assertQueue(queue) });
  const events = [];
  manager.on('blocked', ({ reason }) => events.push(['blocked', reason]));
  manager.on('unblocked', () => events.push(['unblocked']));
  await run.alarm('set');
  const sent = [];
  await until(() => {
    sent.push(channel.sendToQueue(queue, 'waits'));
    return events.length === 1;
  }, 'the notice that publishers are blocked');
  assert.match(events[0][1], /disk/);
  await run.alarm('clear');
  await Promise.all(sent);
  await until(() => events.length === 2, 'the notice that they are not any more');
  assert.equal((await channel.checkQueue(queue)).messageCount, sent.length);
  assert.deepEqual([events[1], channel.errors], [['unblocked'], []]);
}), RESTARTS_SECONDS, true);
