// What Nest's users rely on besides: answers in several parts and errors, headers, wildcards, fanout, addresses.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Ctx, EventPattern, MessagePattern, Payload, RmqRecordBuilder, RpcException } from '@nestjs/microservices';
import { lastValueFrom, of, toArray } from 'rxjs';
import { until } from '../expect.js';
import { NEST, calling, controller, serving } from './application.js';

const RESTARTS_SECONDS = 300;

/** Answers once, in parts, and with an error. */
class Questions {
  constructor(journal) {
    this.journal = journal;
  }

  async sum(numbers) {
    return numbers.reduce((sum, number) => sum + number, 0);
  }

  count(to) {
    return of(...Array.from({ length: to }, (_, number) => number));
  }

  fail(reason) {
    throw new RpcException({ reason });
  }

  headers(body, context) {
    const { headers, priority, messageId } = context.getMessage().properties;
    return { body, headers, priority, messageId, pattern: context.getPattern() };
  }
}
controller(Questions, {
  sum: [MessagePattern('sum'), Payload()],
  count: [MessagePattern({ cmd: 'count' }), Payload()],
  fail: [MessagePattern('fail'), Payload()],
  headers: [MessagePattern('headers'), Payload(), Ctx()],
});

/** Writes down which of its patterns an event came by. */
class Listeners {
  constructor(journal) {
    this.journal = journal;
  }

  paid(body, context) {
    this.journal.push(['order.paid', body, context.getPattern()]);
  }

  order(body, context) {
    this.journal.push(['order.*', body, context.getPattern()]);
  }

  log(body, context) {
    this.journal.push(['log.#', body, context.getPattern()]);
  }

  ask(body) {
    return `asked ${body}`;
  }
}
controller(Listeners, {
  paid: [EventPattern('order.paid'), Payload(), Ctx()],
  order: [EventPattern('order.*'), Payload(), Ctx()],
  log: [EventPattern('log.#'), Payload(), Ctx()],
  ask: [MessagePattern('ask.*'), Payload()],
});

NEST.scenario('request-response', async (run) => {
  const options = { urls: [run.url], queue: run.queue(), queueOptions: { durable: false } };
  await serving(Questions, options, () => calling(options, async (client) => {
    assert.equal(await lastValueFrom(client.send('sum', [1, 2, 3])), 6);
    assert.deepEqual(await lastValueFrom(client.send({ cmd: 'count' }, 5).pipe(toArray())), [0, 1, 2, 3, 4]);
    await assert.rejects(lastValueFrom(client.send('fail', 'no way')), (error) => error.reason === 'no way');
    await assert.rejects(lastValueFrom(client.send('unknown', 1)), (error) => /no matching message handler/.test(error.message ?? error));
    assert.equal(await lastValueFrom(client.send('sum', ['a'.repeat(1024 * 1024)])), `0${'a'.repeat(1024 * 1024)}`);
  }));
});

NEST.scenario('headers', async (run) => {
  const options = { urls: [run.url], queue: run.queue(), queueOptions: { maxPriority: 9 } };
  await serving(Questions, options, () => calling({ ...options, headers: { always: 'there' } }, async (client) => {
    const record = new RmqRecordBuilder({ id: 5 }).setOptions({ headers: { tenant: 'a' }, priority: 3, messageId: 'first' }).build();
    assert.deepEqual(await lastValueFrom(client.send('headers', record)), {
      body: { id: 5 }, headers: { always: 'there', tenant: 'a' }, priority: 3, messageId: 'first', pattern: 'headers',
    });
  }));
});

// A topic exchange by the name of the queue, with a binding for each pattern.
NEST.scenario('wildcards', async (run) => {
  const queue = run.queue();
  run.record('exchange', queue);
  const options = { urls: [run.url], queue, wildcards: true };
  await serving(Listeners, options, (journal) => calling(options, async (client) => {
    const events = ['order.paid', 'order.sent', 'order.sent.late', 'log', 'log.error', 'log.error.disk', 'other'];
    for (const event of events) await lastValueFrom(client.emit(event, `of ${event}`), { defaultValue: null });
    assert.equal(await lastValueFrom(client.send('ask.anything', 'nicely')), 'asked nicely');
    await until(() => journal.length === 5, 'the events that match a pattern');
    assert.deepEqual(journal, [
      ['order.paid', 'of order.paid', 'order.paid'],
      ['order.*', 'of order.sent', 'order.sent'],
      ['log.#', 'of log', 'log'],
      ['log.#', 'of log.error', 'log.error'],
      ['log.#', 'of log.error.disk', 'log.error.disk'],
    ]);
  }));
});

// Every application has a queue of its own, whose name is the broker's.
NEST.scenario('fanout', async (run) => {
  const options = { urls: [run.url], exchange: run.exchange(), exchangeType: 'fanout', queueOptions: { exclusive: true } };
  await serving(Listeners, options, (first) => serving(Listeners, options, (second) => calling(options, async (client) => {
    for (const number of [1, 2, 3]) await lastValueFrom(client.emit('order.paid', number), { defaultValue: null });
    await until(() => first.length === 3 && second.length === 3, 'every event at both');
    const expected = [1, 2, 3].map((number) => ['order.paid', number, 'order.paid']);
    assert.deepEqual([first, second], [expected, expected]);
  })));
});

// What nobody handles is refused, and so becomes a dead letter.
NEST.scenario('unhandled-event', async (run) => {
  const [queue, dead] = [run.queue(), run.queue('dead')];
  const letters = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead };
  const options = { urls: [run.url], queue, noAck: false, queueOptions: { arguments: letters } };
  class Dead {
    constructor(journal) {
      this.journal = journal;
    }

    unknown(body, context) {
      this.journal.push([body, context.getMessage().properties.headers['x-death'][0].reason]);
    }
  }
  controller(Dead, { unknown: [EventPattern('unknown'), Payload(), Ctx()] });
  await serving(Dead, { urls: [run.url], queue: dead, noAck: true }, (journal) => serving(Listeners, options, () => (
    calling({ urls: [run.url], queue, noAssert: true }, async (client) => {
      await lastValueFrom(client.emit('unknown', 'to nobody'), { defaultValue: null });
      await until(() => journal.length === 1, 'the dead letter');
      assert.deepEqual(journal, [['to nobody', 'rejected']]);
    })
  )));
});

NEST.scenario('next-address', async (run) => {
  // A port that no broker of another client is ever given.
  const nobody = 'amqp://guest:guest@127.0.0.1:1';
  const options = { urls: [nobody, run.url], queue: run.queue() };
  await serving(Questions, options, () => calling(options, async (client) => {
    assert.equal(await lastValueFrom(client.send('sum', [4, 5])), 9);
  }));
});

// Requests go on over the same client and the same server once both have connected again.
NEST.scenario('reconnect-requests', async (run) => {
  const options = { urls: [run.restartUrl], queue: run.queue() };
  await serving(Questions, options, (_, application) => calling(options, async (client) => {
    for (const how of ['stop', 'kill']) {
      assert.equal(await lastValueFrom(client.send('sum', [1, 2])), 3);
      const came = [client.unwrap(), application.unwrap()].map((manager) => once(manager, 'connect'));
      await run.restart(how);
      await Promise.all(came);
    }
    assert.equal(await lastValueFrom(client.send('sum', [3, 4])), 7);
  }));
}, RESTARTS_SECONDS);
