// What rascal does with messages that a subscriber cannot take: strategies, tried in order; and shovels.

import assert from 'node:assert/strict';
import { until } from '../expect.js';
import { at, published, scenario, subscribed } from './client.js';

const recoveryOf = (message, queue) => message.properties.headers.rascal.recovery?.[queue];

// Published once more to the end of its queue, with a count in a header, and after the last attempt dead-lettered.
scenario('recovery-republish', (run) => {
  const [queue, dead] = [run.queue(), run.queue('dead')];
  const options = { arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead } };
  const config = at(run.url, { queues: { [queue]: { options }, [dead]: {} } });
  const body = async (broker) => {
    const letters = await subscribed(broker, `v/${dead}`);
    const attempts = [];
    const session = await broker.subscribe(`v/${queue}`);
    session.on('message', (message, content, settle) => {
      attempts.push(recoveryOf(message, queue)?.republished ?? 0);
      settle(new Error(`attempt ${attempts.length}`), [{ strategy: 'republish', attempts: 2 }, { strategy: 'nack' }]);
    });
    await published(broker, `v/${queue}`, { order: 5 }, { options: { headers: { kept: 'yes' } } });
    await until(() => letters.length === 1, 'the dead letter');
    assert.deepEqual(attempts, [0, 1, 2]);
    const [{ content, message, settle }] = letters;
    assert.deepEqual([content, message.properties.headers.kept], [{ order: 5 }, 'yes']);
    const [{ count, reason, queue: from }] = message.properties.headers['x-death'];
    assert.deepEqual({ count, reason, from }, { count: 1, reason: 'rejected', from: queue });
    assert.equal(recoveryOf(message, queue).republished, 2);
    settle();
  };
  return { config, body };
});

// The delayed retry of rascal's documentation: forwarded to a queue whose messages expire back to where they were, and
// after the last attempt to another where somebody looks.
scenario('recovery-forward', (run) => {
  const exchange = run.exchange('delay');
  const [queue, delay, dead] = [run.queue(), run.queue('delay'), run.queue('dead')];
  const options = { arguments: { 'x-message-ttl': 50, 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': queue } };
  const config = at(run.url, {
    exchanges: [exchange],
    queues: { [queue]: {}, [delay]: { options }, [dead]: {} },
    bindings: [`${exchange}[again.#] -> ${delay}`],
    publications: { again: { exchange, routingKey: 'again.later' }, dead: { queue: dead } },
  });
  const body = async (broker) => {
    const letters = await subscribed(broker, `v/${dead}`);
    const attempts = [];
    const session = await broker.subscribe(`v/${queue}`);
    session.on('message', (message, content, settle) => {
      const death = message.properties.headers['x-death']?.find(({ reason }) => reason === 'expired');
      attempts.push([recoveryOf(message, queue)?.forwarded ?? 0, death?.queue]);
      settle(new Error('not yet'), [
        { strategy: 'forward', publication: 'again', attempts: 2 },
        { strategy: 'forward', publication: 'dead' },
      ]);
    });
    await published(broker, `v/${queue}`, 'patience');
    await until(() => letters.length === 1, 'the message where somebody looks');
    assert.deepEqual(attempts, [[0, undefined], [1, delay], [2, delay]]);
    const [{ content, message, settle }] = letters;
    assert.deepEqual([content, recoveryOf(message, queue).forwarded], ['patience', 3]);
    assert.equal(message.properties.headers.rascal.error.message, 'not yet');
    settle();
  };
  return { config, body };
});

// Dead letters that are published back to their queue are refused at once, unless they have been dead once more: rascal
// compares the records of x-death.
scenario('recovery-immediate-nack', (run) => {
  const [queue, dead] = [run.queue(), run.queue('dead')];
  const options = { arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead } };
  const config = at(run.url, { queues: { [queue]: { options }, [dead]: {} }, publications: { back: { queue } } });
  const body = async (broker) => {
    const letters = await subscribed(broker, `v/${dead}`);
    let handled = 0;
    const session = await broker.subscribe(`v/${queue}`);
    session.on('message', (message, content, settle) => {
      handled += 1;
      if (handled === 1) settle(new Error('bad'), { strategy: 'republish', immediateNack: true });
      else settle();
    }).on('error', () => {});
    await published(broker, `v/${queue}`, 'poison');
    await until(() => letters.length === 1, 'the dead letter');
    assert.equal(handled, 1, 'the second time it was not given to the subscriber');
    const [{ message, settle }] = letters;
    await broker.forward('back', message).then((publication) => new Promise((resolve, reject) => {
      publication.on('success', resolve).on('error', reject);
    }));
    settle();
    await until(() => handled === 2, 'the message that was played again');
  };
  return { config, body };
});

// A redelivered message is counted, and given up when it has come too often.
scenario('redeliveries', (run) => {
  const [queue, dead] = [run.queue(), run.queue('dead')];
  const options = { arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': dead } };
  const config = at(run.url, {
    queues: { [queue]: { options }, [dead]: {} },
    subscriptions: { in: { queue, redeliveries: { limit: 3, counter: 'inMemory' } } },
  }, { redeliveries: { counters: { inMemory: { size: 10 } } } });
  const body = async (broker) => {
    const letters = await subscribed(broker, `v/${dead}`);
    const counts = [];
    const session = await broker.subscribe('in');
    session.on('message', (message, content, settle) => {
      counts.push(message.properties.headers.rascal.redeliveries);
      settle(new Error('crash'), { strategy: 'nack', requeue: true });
    }).on('redeliveries_exceeded', (error, message, settle) => settle(error, { strategy: 'nack' }));
    await published(broker, `v/${queue}`, 'crashes');
    await until(() => letters.length === 1, 'the message that was given up');
    assert.deepEqual(counts, [0, 1, 2, 3]);
    letters[0].settle();
  };
  return { config, body };
});

scenario('invalid-content', (run) => {
  const queue = run.queue();
  const config = at(run.url, { queues: [queue] });
  const body = async (broker) => {
    const invalid = [];
    const session = await broker.subscribe(`v/${queue}`);
    session.on('message', () => assert.fail('it is no JSON'));
    session.on('invalid_content', (error, message, settle) => {
      invalid.push(String(message.content));
      settle(error, { strategy: 'nack' });
    });
    await published(broker, `v/${queue}`, Buffer.from('{'), { options: { contentType: 'application/json' } });
    await until(() => invalid.length === 1, 'the content that is not valid');
    assert.deepEqual(invalid, ['{']);
  };
  return { config, body };
});

// Rascal's shovels are subscriptions that forward, in the client.
scenario('shovel', (run) => {
  const [from, to] = [run.queue('from'), run.queue('to')];
  const config = at(run.url, {
    queues: [from, to],
    publications: { put: { queue: from }, onward: { queue: to } },
    subscriptions: { taken: { queue: from } },
  }, { shovels: { dig: { subscription: 'taken', publication: 'onward' } } });
  const body = async (broker) => {
    const received = await subscribed(broker, `v/${to}`, { prefetch: 20 });
    for (let number = 0; number < 20; number += 1) await published(broker, 'put', { number });
    await until(() => received.length === 20, 'everything at the other queue');
    assert.deepEqual(received.map(({ content }) => content.number), Array.from({ length: 20 }, (_, number) => number));
    assert.equal(received[0].message.properties.headers.rascal.originalQueue, to);
    for (const { settle } of received) settle();
  };
  return { config, body };
});

scenario('encryption', (run) => {
  const queue = run.queue();
  const key = 'f81db52a3b2c717fe65d9a3b7dd04d2a08793e1a28e3083db3ea08db56e7c315';
  const config = at(run.url, { queues: [queue], publications: { secret: { queue, encryption: 'aes' } } }, {
    encryption: { aes: { key, ivLength: 16, algorithm: 'aes-256-cbc' } },
  });
  const body = async (broker) => {
    const received = await subscribed(broker, `v/${queue}`);
    await published(broker, 'secret', { pin: 1234 });
    await until(() => received.length === 1, 'the message');
    assert.deepEqual(received[0].content, { pin: 1234 });
    assert.ok(!String(received[0].message.content).includes('1234'));
    received[0].settle();
  };
  return { config, body };
});
