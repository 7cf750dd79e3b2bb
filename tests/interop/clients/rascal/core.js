// What every client has, in rascal's words: a configuration says what there is, publications and subscriptions use it.

import assert from 'node:assert/strict';
import { Received, until } from '../expect.js';
import { RASCAL, at, configured, published, scenario, subscribed } from './client.js';

const PREFETCH = 2;
const RESTARTS_SECONDS = 300;

const contents = (received) => received.map(({ content }) => content);

RASCAL.notApplicable('get', 'rascal has subscriptions only');
RASCAL.notApplicable('rpc-reply-to', 'rascal publishes and consumes on channels of their own, so a reply needs a queue: see rpc');

RASCAL.scenario('declare', async (run) => {
  const exchanges = Object.fromEntries(['direct', 'fanout', 'topic', 'headers'].map((type) => [run.exchange(type), { type }]));
  const queue = run.queue();
  const options = { durable: true, arguments: { 'x-max-length': 10, 'x-overflow': 'reject-publish' } };
  const vhost = { exchanges, queues: { [queue]: { options } } };
  // Twice: what is there already is as it should be.
  for (let time = 0; time < 2; time += 1) {
    await configured(at(run.url, vhost), (broker) => published(broker, `v/${queue}`, 'kept'));
  }
  // What others have made is looked at and not made.
  const looked = (names) => ({ queues: Object.fromEntries(names.map((name) => [name, { assert: false, check: true }])) });
  await configured(at(run.url, looked([queue])), async (broker) => {
    const received = await subscribed(broker, `v/${queue}`);
    await until(() => received.length === 2, 'both messages');
    for (const { settle } of received) settle();
    await broker.purge();
  });
  const other = { durable: true, arguments: { ...options.arguments, 'x-max-length': 11 } };
  await assert.rejects(configured(at(run.url, { queues: { [queue]: { options: other } } }), () => {}), /PRECONDITION_FAILED/);
  await assert.rejects(configured(at(run.url, looked([run.queue('absent')])), () => {}), /NOT_FOUND/);
});

scenario('bind', (run) => {
  const [front, back] = [run.exchange('front'), run.exchange('back')];
  const [paid, all] = [run.queue('paid'), run.queue('all')];
  const config = at(run.url, {
    exchanges: { [front]: { type: 'direct' }, [back]: { type: 'topic' } },
    queues: [paid, all],
    bindings: {
      ends: { source: front, destination: back, destinationType: 'exchange', bindingKeys: ['order.paid', 'order.sent'] },
      [`${back}[*.paid, order.paid] -> ${paid}`]: {},
      [`${back} -> ${all}`]: {},
    },
  });
  const body = async (broker) => {
    const receiving = { paid: await subscribed(broker, `v/${paid}`), all: await subscribed(broker, `v/${all}`) };
    for (const key of ['order.paid', 'order.sent']) await published(broker, `v/${front}`, key, key);
    await published(broker, `v/${back}`, 'other', 'some.thing');
    await until(() => receiving.all.length === 3, 'all messages in the queue that is bound to everything');
    assert.deepEqual(contents(receiving.all), ['order.paid', 'order.sent', 'other']);
    assert.deepEqual(contents(receiving.paid), ['order.paid']);
    for (const { settle } of [...receiving.all, ...receiving.paid]) settle();
  };
  return { config, body };
});

// Publications are confirmed and mandatory unless they say otherwise, and channels come from a pool.
scenario('confirmed-publish', (run) => {
  const queue = run.queue();
  const config = at(run.url, { queues: [queue], publications: { out: { queue } } });
  const body = async (broker) => {
    const numbers = Array.from({ length: 200 }, (_, number) => number);
    const ids = await Promise.all(numbers.map((number) => published(broker, 'out', { number }, { options: { messageId: `id ${number}` } })));
    assert.deepEqual(ids, numbers.map((number) => `id ${number}`));
    const received = await subscribed(broker, `v/${queue}`, { prefetch: numbers.length });
    await until(() => received.length === numbers.length, 'every message');
    assert.deepEqual(contents(received).map(({ number }) => number).sort((a, b) => a - b), numbers);
    const { contentType, deliveryMode } = received[0].message.properties;
    assert.deepEqual({ contentType, deliveryMode }, { contentType: 'application/json', deliveryMode: 2 });
    received.at(-1).settle(null, { all: true });
  };
  return { config, body };
});

scenario('consume-ack-prefetch', (run) => {
  const queue = run.queue();
  const config = at(run.url, { queues: [queue], subscriptions: { in: { queue, prefetch: PREFETCH } } });
  const body = async (broker) => {
    const bodies = Array.from({ length: 4 * PREFETCH }, (_, number) => `task ${number}`);
    for (const each of bodies) await published(broker, `v/${queue}`, each);
    const received = await subscribed(broker, 'in');
    // The second subscriber gets what the prefetch of the first leaves.
    const others = await subscribed(broker, 'in', { prefetch: bodies.length });
    await until(() => received.length + others.length === bodies.length, 'everything at either');
    assert.equal(received.length, PREFETCH);
    for (const { settle } of received.slice()) settle(new Error('again'), { strategy: 'nack', requeue: true });
    const all = () => [...received, ...others];
    await until(() => all().length === bodies.length + PREFETCH, 'those that were requeued');
    assert.deepEqual([...new Set(contents(all()))].sort(), bodies.sort());
    const again = all().filter(({ message }) => message.fields.redelivered);
    assert.deepEqual(contents(again).sort(), contents(received.slice(0, PREFETCH)));
    for (const { settle } of [...received.slice(PREFETCH), ...others]) settle();
    assert.deepEqual(received.errors, []);
    assert.deepEqual(others.errors, []);
  };
  return { config, body };
});

scenario('return', (run) => {
  const exchange = run.exchange();
  const config = at(run.url, { exchanges: [exchange], publications: { out: { exchange } } });
  const body = async (broker) => {
    const session = await broker.publish('out', 'lost', 'nobody.listens');
    const events = [];
    session
      .on('return', ({ fields, content }) => events.push(['return', fields.replyCode, fields.replyText, String(content)]))
      .on('success', () => events.push(['success']))
      .on('error', (error) => events.push([error]));
    await until(() => events.length === 2, 'the return and the confirm');
    assert.deepEqual(events, [['return', 312, 'NO_ROUTE', 'lost'], ['success']]);
  };
  return { config, body };
});

scenario('rpc', (run) => {
  const requests = run.queue('requests');
  const replies = 'interop.replies';
  const config = at(run.url, {
    queues: { [requests]: {}, [replies]: { replyTo: true, options: { exclusive: true, autoDelete: true, durable: false } } },
    publications: { ask: { queue: requests, replyTo: replies }, answer: { exchange: '' } },
    subscriptions: { asked: { queue: requests }, answers: { queue: replies } },
  });
  const body = async (broker) => {
    const asked = await broker.subscribe('asked');
    asked.on('message', async (message, number, settle) => {
      const { replyTo, correlationId } = message.properties;
      await published(broker, 'answer', { square: number ** 2 }, { routingKey: replyTo, options: { correlationId } });
      settle();
    });
    const answers = await subscribed(broker, 'answers');
    for (const number of [3, 4, 5]) await published(broker, 'ask', number, { options: { correlationId: `of ${number}` } });
    await until(() => answers.length === 3, 'three replies');
    const squares = answers.map(({ message, content }) => [message.properties.correlationId, content.square]);
    assert.deepEqual(Object.fromEntries(squares), { 'of 3': 9, 'of 4': 16, 'of 5': 25 });
    for (const { settle } of answers) settle();
  };
  return { config, body };
});

scenario('ttl-dead-letter', (run) => {
  const exchange = run.exchange('dead');
  const [waiting, dead] = [run.queue('waiting'), run.queue('dead')];
  const options = { arguments: { 'x-message-ttl': 50, 'x-dead-letter-exchange': exchange, 'x-dead-letter-routing-key': 'late' } };
  const config = at(run.url, {
    exchanges: [exchange],
    queues: { [waiting]: { options }, [dead]: {} },
    bindings: [`${exchange}[late] -> ${dead}`],
  });
  const body = async (broker) => {
    const letters = await subscribed(broker, `v/${dead}`);
    await published(broker, `v/${waiting}`, 'expires');
    await until(() => letters.length === 1, 'the message that expired');
    letters[0].settle();
    const [{ count, reason, queue }] = letters[0].message.properties.headers['x-death'];
    assert.deepEqual({ count, reason, queue }, { count: 1, reason: 'expired', queue: waiting });
    assert.deepEqual([letters[0].content, letters[0].message.fields.routingKey], ['expires', 'late']);
  };
  return { config, body };
});

// The subscription and the pool of channels come back by themselves; what is published meanwhile waits.
RASCAL.scenario('reconnect', async (run) => {
  const queue = run.queue();
  const vhost = { queues: [queue], subscriptions: { in: { queue, prefetch: PREFETCH, retry: { min: 50, max: 200 } } } };
  await configured(at(run.restartUrl, vhost), async (broker, errors) => {
    const received = new Received([]);
    let [hold, held] = [true, 0];
    const session = await broker.subscribe('in');
    session.on('error', (error) => errors.push(error)).on('message', (message, content, settle) => {
      received.add(content, message.fields.redelivered);
      if (hold) held += 1;
      else settle();
    });
    for (const how of ['stop', 'kill']) {
      [hold, held] = [true, 0];
      const bodies = Array.from({ length: 30 }, (_, number) => `${how} ${number}`);
      received.expect(bodies);
      for (const body of bodies) await published(broker, `v/${queue}`, body);
      await until(() => held === PREFETCH, 'as many as the prefetch');
      hold = false;
      const left = new Promise((resolve) => { broker.once('disconnect', resolve); });
      await run.restart(how);
      await left;
      received.expect([`after ${how}`]);
      await published(broker, `v/${queue}`, `after ${how}`);
      await received.all(`everything that was confirmed before the ${how}`);
    }
    assert.ok(errors.length > 0, 'the loss of a connection is told');
  });
}, RESTARTS_SECONDS);
