// What every client has: declaring, binding, consuming with a prefetch, dead letters, and a broker that is restarted.

import assert from 'node:assert/strict';
import { Received, text, until } from '../expect.js';
import { AMQPLIB, channelOf, connected } from './client.js';

const PREFETCH = 2;
const RESTARTS_SECONDS = 300;

AMQPLIB.scenario('declare', (run) => connected(run, async (connection) => {
  const channel = await channelOf(connection);
  for (const kind of ['direct', 'fanout', 'topic', 'headers']) {
    const exchange = run.exchange(kind);
    for (let time = 0; time < 2; time += 1) await channel.assertExchange(exchange, kind, { durable: true });
    await channel.checkExchange(exchange);
    await channel.deleteExchange(exchange);
  }
  const queue = run.queue();
  const options = {
    durable: true, maxLength: 10, messageTtl: 60_000, expires: 600_000, maxPriority: 5,
    arguments: { 'x-overflow': 'reject-publish' },
  };
  for (let time = 0; time < 2; time += 1) {
    assert.deepEqual({ ...await channel.assertQueue(queue, options) }, { queue, messageCount: 0, consumerCount: 0 });
  }
  const refusing = await channelOf(connection);
  await assert.rejects(refusing.assertQueue(queue, { ...options, maxLength: 11 }), { code: 406 });
  const named = await channel.assertQueue('', { exclusive: true });
  assert.match(named.queue, /^amq\.gen-/);
  assert.equal((await channel.deleteQueue(queue)).messageCount, 0);
  await assert.rejects(channel.checkQueue(queue), { code: 404 });
  await (await channelOf(connection)).checkQueue(named.queue);
}));

AMQPLIB.scenario('bind', (run) => connected(run, async (connection) => {
  const channel = await channelOf(connection, 'createConfirmChannel');
  const [front, back] = [run.exchange('front'), run.exchange('back')];
  const queue = run.queue();
  await channel.assertExchange(front, 'direct', { durable: false });
  await channel.assertExchange(back, 'topic', { durable: false });
  await channel.assertQueue(queue);
  await channel.bindExchange(back, front, 'order.paid');
  await channel.bindQueue(queue, back, 'order.*');
  await channel.bindQueue(queue, back, '*.paid');
  const arrived = async (exchange, key) => {
    channel.publish(exchange, key, Buffer.from(key));
    await channel.waitForConfirms();
    return (await channel.purgeQueue(queue)).messageCount;
  };
  assert.equal(await arrived(front, 'order.paid'), 1, 'two bindings that match, one message');
  assert.equal(await arrived(front, 'order.sent'), 0);
  assert.equal(await arrived(back, 'order.sent'), 1);
  await channel.unbindQueue(queue, back, 'order.*');
  assert.equal(await arrived(back, 'order.sent'), 0);
  await channel.unbindExchange(back, front, 'order.paid');
  assert.equal(await arrived(front, 'order.paid'), 0);
  assert.equal(await arrived(back, 'order.paid'), 1);
}));

AMQPLIB.scenario('consume-ack-prefetch', (run) => connected(run, async (connection) => {
  const publishing = await channelOf(connection, 'createConfirmChannel');
  const queue = run.queue();
  await publishing.assertQueue(queue);
  const bodies = Array.from({ length: 10 }, (_, number) => `task ${number}`);
  for (const body of bodies) publishing.sendToQueue(queue, Buffer.from(body));
  await publishing.waitForConfirms();
  const channel = await channelOf(connection);
  await channel.prefetch(PREFETCH);
  const received = [];
  await channel.consume(queue, (message) => received.push(message));
  for (let acked = 0; acked < 4; acked += 1) {
    await until(() => received.length === acked + PREFETCH, 'as many as the prefetch');
    // What is not given out is ready: there are no more than the prefetch with the consumer.
    assert.equal((await publishing.checkQueue(queue)).messageCount, bodies.length - acked - PREFETCH);
    channel.ack(received[acked]);
  }
  await until(() => received.length === 4 + PREFETCH, 'another for each that was acked');
  await channel.close();
  const rest = [];
  for (let message = await publishing.get(queue); message; message = await publishing.get(queue)) rest.push(message);
  assert.deepEqual(rest.map(text), bodies.slice(4));
  assert.deepEqual(rest.map(({ fields }) => fields.redelivered), [true, true, false, false, false, false]);
}));

AMQPLIB.scenario('ttl-dead-letter', (run) => connected(run, async (connection) => {
  const channel = await channelOf(connection);
  const exchange = run.exchange('dead');
  const [waiting, dead] = [run.queue('waiting'), run.queue('dead')];
  await channel.assertExchange(exchange, 'direct', { durable: false });
  await channel.assertQueue(dead);
  await channel.bindQueue(dead, exchange, 'late');
  await channel.assertQueue(waiting, { messageTtl: 60_000, deadLetterExchange: exchange, deadLetterRoutingKey: 'late' });
  const letters = [];
  await channel.consume(dead, (message) => letters.push(message), { noAck: true });
  channel.sendToQueue(waiting, Buffer.from('expires'), { expiration: '50', headers: { kept: 'yes' } });
  await until(() => letters.length === 1, 'the message that expired');
  channel.sendToQueue(waiting, Buffer.from('refused'));
  const refused = await channel.get(waiting);
  channel.reject(refused, false);
  await until(() => letters.length === 2, 'the message that was rejected');
  assert.deepEqual(letters.map(text), ['expires', 'refused']);
  assert.deepEqual(letters.map(({ fields }) => [fields.exchange, fields.routingKey]), [[exchange, 'late'], [exchange, 'late']]);
  const deaths = letters.map(({ properties }) => properties.headers['x-death'].map(({ count, reason, queue }) => ({ count, reason, queue })));
  assert.deepEqual(deaths, [
    [{ count: 1, reason: 'expired', queue: waiting }],
    [{ count: 1, reason: 'rejected', queue: waiting }],
  ]);
  assert.equal(letters[0].properties.headers.kept, 'yes');
  assert.equal(letters[0].properties.expiration, undefined, 'it would expire once more');
}));

// amqplib does not reconnect by itself: its users do, when a connection is closed.
AMQPLIB.scenario('reconnect', async (run) => {
  const queue = run.queue();
  const received = new Received([]);
  for (const how of ['stop', 'kill']) {
    const bodies = Array.from({ length: 30 }, (_, number) => `${how} ${number}`);
    received.expect(bodies);
    await restartedUnder(run, how, queue, bodies, received);
    await connected(run, async (connection) => {
      const channel = await channelOf(connection, 'createConfirmChannel');
      await channel.prefetch(PREFETCH);
      await channel.consume(queue, (message) => {
        received.add(text(message), message.fields.redelivered);
        channel.ack(message);
      });
      received.expect([`after ${how}`]);
      channel.sendToQueue(queue, Buffer.from(`after ${how}`), { persistent: true });
      await channel.waitForConfirms();
      await received.all(`everything that was confirmed before the ${how}`);
    }, '', run.restartUrl);
  }
}, RESTARTS_SECONDS);

// A connection is told that it is blocked when it publishes. What it sends then is confirmed when the alarm is over.
AMQPLIB.scenario('blocked', (run) => connected(run, async (connection) => {
  const channel = await channelOf(connection, 'createConfirmChannel');
  const queue = run.queue();
  await channel.assertQueue(queue);
  const notices = [];
  connection.on('blocked', (reason) => notices.push(reason));
  connection.on('unblocked', () => notices.push('unblocked'));
  let [sent, confirmed] = [0, 0];
  const send = () => {
    sent += 1;
    channel.sendToQueue(queue, Buffer.from('waits'), {}, (error) => { confirmed += error ? 0 : 1; });
  };
  await run.alarm('set');
  await until(() => {
    send();
    return notices.length === 1;
  }, 'the notice that publishers are blocked');
  assert.match(notices[0], /disk/);
  send();
  assert.ok(confirmed < sent);
  await run.alarm('clear');
  await channel.waitForConfirms();
  await until(() => notices.length === 2, 'the notice that they are not any more');
  assert.deepEqual([confirmed, notices[1]], [sent, 'unblocked']);
}, '', run.restartUrl), RESTARTS_SECONDS, true);

/** Restarts the broker under a consumer that has acked the first message and holds as many more as it may. */
function restartedUnder(run, how, queue, bodies, received) {
  return connected(run, async (connection) => {
    const channel = await channelOf(connection, 'createConfirmChannel');
    await channel.assertQueue(queue, { durable: true });
    for (const body of bodies) channel.sendToQueue(queue, Buffer.from(body), { persistent: true });
    await channel.waitForConfirms();
    await channel.prefetch(PREFETCH);
    let closed = false;
    let count = 0;
    connection.on('close', () => { closed = true; });
    await channel.consume(queue, (message) => {
      count += 1;
      received.add(text(message), message.fields.redelivered);
      if (count === 1) channel.ack(message);
    });
    await until(() => count === PREFETCH + 1, 'the first messages');
    await run.restart(how);
    await until(() => closed, 'the end of the connection');
  }, '', run.restartUrl);
}
