// What every client has, as far as a Nest application has it.

import assert from 'node:assert/strict';
import { Ctx, EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { channelOf, connected } from '../amqplib/client.js';
import { Received, until } from '../expect.js';
import { NEST, calling, controller, serving } from './application.js';

const PREFETCH = 2;
const RESTARTS_SECONDS = 300;

NEST.notApplicable('return', "Nest's client does not listen for messages that are returned");
NEST.notApplicable('get', 'Nest has consumers only');

/** Writes down every event and acks it if the journal says so. */
class Tasks {
  constructor(journal) {
    this.journal = journal;
  }

  task(body, context) {
    const message = context.getMessage();
    const ack = () => context.getChannelRef().ack(message);
    this.journal.push({ body, message, ack });
    if (this.journal.acks) ack();
  }
}
controller(Tasks, { task: [EventPattern('task'), Payload(), Ctx()] });

/** Squares on request. */
class Squares {
  constructor(journal) {
    this.journal = journal;
  }

  square(number, context) {
    this.journal.push(context.getMessage().properties.replyTo);
    return number ** 2;
  }
}
controller(Squares, { square: [MessagePattern({ cmd: 'square' }), Payload(), Ctx()] });

const emit = (client, body, pattern = 'task') => lastValueFrom(client.emit(pattern, body), { defaultValue: null });

NEST.scenario('declare', async (run) => {
  const queue = run.queue();
  const queueOptions = { durable: true, maxPriority: 5, arguments: { 'x-max-length': 10, 'x-queue-mode': 'lazy' } };
  const options = { urls: [run.url], queue, queueOptions };
  const exchanges = ['direct', 'fanout', 'topic', 'headers'].map((exchangeType) => ({ exchangeType, exchange: run.exchange(exchangeType) }));
  await connected(run, async (connection) => {
    const channel = await channelOf(connection);
    // Nest listens before it consumes, and an application that is closed in between ends the process.
    const consumed = (journal) => {
      channel.sendToQueue(queue, Buffer.from(JSON.stringify({ pattern: 'task', data: 'from a client that is not of Nest' })));
      return until(() => journal.length === 1, 'the event of another client');
    };
    for (const exchange of [{}, ...exchanges, ...exchanges]) await serving(Tasks, { ...options, ...exchange }, consumed);
    await channel.assertQueue(queue, queueOptions);
    for (const { exchange, exchangeType } of exchanges) await channel.assertExchange(exchange, exchangeType, { durable: true });
    const refusing = await channelOf(connection);
    await assert.rejects(refusing.assertQueue(queue, { ...queueOptions, arguments: {} }), { code: 406 });
  });
});

NEST.scenario('bind', async (run) => {
  const exchange = run.exchange();
  const options = { urls: [run.url], exchange, exchangeType: 'topic' };
  const served = { ...options, queue: run.queue(), routingKey: 'task', noAck: true };
  await serving(Tasks, served, (journal) => calling({ ...options, queue: run.queue(), wildcards: true }, async (client) => {
    await emit(client, 'other', 'other');
    await emit(client, 'bound');
    await until(() => journal.length === 1, 'the event whose pattern is bound');
    assert.deepEqual([journal[0].body, journal[0].message.fields.exchange], ['bound', exchange]);
  }));
});

NEST.scenario('confirmed-publish', async (run) => {
  const queue = run.queue();
  const queueOptions = { durable: true, arguments: { 'x-max-length': 100, 'x-overflow': 'reject-publish' } };
  await calling({ urls: [run.url], queue, queueOptions, persistent: true }, async (client) => {
    await Promise.all(Array.from({ length: 100 }, (_, number) => emit(client, { number })));
    await assert.rejects(emit(client, 'one too many'), /nacked/);
  });
  await connected(run, async (connection) => {
    const channel = await channelOf(connection);
    assert.equal((await channel.checkQueue(queue)).messageCount, 100);
    const message = await channel.get(queue, { noAck: true });
    assert.deepEqual([String(message.content), message.properties.deliveryMode], ['{"pattern":"task","data":{"number":0}}', 2]);
  });
});

NEST.scenario('consume-ack-prefetch', async (run) => {
  const options = { urls: [run.url], queue: run.queue() };
  const bodies = Array.from({ length: 10 }, (_, number) => `task ${number}`);
  await calling(options, async (client) => {
    for (const body of bodies) await emit(client, body);
  });
  await serving(Tasks, { ...options, noAck: false, prefetchCount: PREFETCH }, async (journal) => {
    for (let acked = 0; acked < 4; acked += 1) {
      await until(() => journal.length === acked + PREFETCH, 'as many as the prefetch');
      journal[acked].ack();
    }
    await until(() => journal.length === 4 + PREFETCH, 'another for each that was acked');
    await connected(run, async (connection) => {
      const { messageCount } = await (await channelOf(connection)).checkQueue(options.queue);
      assert.equal(messageCount, bodies.length - 4 - PREFETCH);
    });
  });
  // The application has left: what it had not acked comes first, and again.
  await serving(Tasks, { ...options, noAck: false, prefetchCount: bodies.length }, async (journal) => {
    await until(() => journal.length === bodies.length - 4, 'the rest');
    assert.deepEqual(journal.map(({ body }) => body), bodies.slice(4));
    assert.deepEqual(journal.map(({ message }) => message.fields.redelivered), [true, true, false, false, false, false]);
    for (const { ack } of journal) ack();
  });
});

NEST.scenario('rpc-reply-to', async (run) => {
  const options = { urls: [run.url], queue: run.queue() };
  await serving(Squares, options, (journal) => calling(options, async (client) => {
    const numbers = Array.from({ length: 20 }, (_, number) => number);
    const squares = await Promise.all(numbers.map((number) => lastValueFrom(client.send({ cmd: 'square' }, number))));
    assert.deepEqual(squares, numbers.map((number) => number ** 2));
    assert.ok(journal.every((address) => address.startsWith('amq.rabbitmq.reply-to.')), journal[0]);
  }));
});

NEST.scenario('ttl-dead-letter', async (run) => {
  const [waiting, dead] = [run.queue('waiting'), run.queue('dead')];
  const letters = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead };
  const late = { urls: [run.url], queue: waiting, queueOptions: { arguments: { 'x-message-ttl': 50, ...letters } } };
  await serving(Tasks, { urls: [run.url], queue: dead, noAck: true }, (journal) => calling(late, async (client) => {
    await emit(client, 'expires');
    await until(() => journal.length === 1, 'the event that expired');
    const [{ count, reason, queue }] = journal[0].message.properties.headers['x-death'];
    assert.deepEqual([journal[0].body, { count, reason, queue }], ['expires', { count: 1, reason: 'expired', queue: waiting }]);
  }));
});

// The consumer, its queue and the client come back by themselves.
NEST.scenario('reconnect', async (run) => {
  const options = { urls: [run.restartUrl], queue: run.queue(), queueOptions: { durable: true }, persistent: true };
  const served = { ...options, noAck: false, prefetchCount: PREFETCH };
  const received = new Received([]);
  await serving(Tasks, served, (journal, application) => calling(options, async (client) => {
    for (const how of ['stop', 'kill']) {
      journal.length = 0;
      journal.acks = false;
      const bodies = Array.from({ length: 30 }, (_, number) => `${how} ${number}`);
      received.expect(bodies);
      for (const body of bodies) await emit(client, body);
      await until(() => journal.length === PREFETCH, 'as many as the prefetch');
      journal.acks = true;
      const connections = [client.unwrap(), application.unwrap()];
      const came = connections.map((manager) => new Promise((resolve) => { manager.once('connect', resolve); }));
      await run.restart(how);
      await Promise.all(came);
      received.expect([`after ${how}`]);
      await emit(client, `after ${how}`);
      await until(() => {
        for (const { body, message } of journal.splice(0)) received.add(body, message.fields.redelivered);
        return received.missing.size === 0;
      }, `everything that was confirmed before the ${how}`);
      await received.all('the rest');
    }
  }));
}, RESTARTS_SECONDS);
