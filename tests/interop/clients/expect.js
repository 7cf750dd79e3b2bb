// Waiting, for the clients in Node: for conditions, with a deadline.

import assert from 'node:assert/strict';

const WAIT_MILLISECONDS = 60_000;
const POLL_MILLISECONDS = 20;

/** Lets the event loop run until the condition, which may be asynchronous, holds. */
export async function until(condition, what, milliseconds = WAIT_MILLISECONDS) {
  const ends = performance.now() + milliseconds;
  while (!await condition()) {
    assert.ok(performance.now() < ends, `not within ${milliseconds / 1000} seconds: ${what}`);
    await idle(POLL_MILLISECONDS);
  }
}

export const idle = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export const text = (message) => message.content.toString();

/** What consumers got of a number of messages, some of them again: `add` notes one, `rest` are those still missing. */
export class Received {
  constructor(bodies) {
    this.missing = new Set(bodies);
    this.seen = new Set();
    this.wrong = [];
  }

  /** A body that comes again must say so. */
  add(body, redelivered) {
    if (this.seen.has(body) && !redelivered) this.wrong.push(body);
    this.seen.add(body);
    this.missing.delete(body);
  }

  expect(bodies) {
    for (const body of bodies) if (!this.seen.has(body)) this.missing.add(body);
  }

  /** Waits until everything that is expected has come. */
  async all(what) {
    await until(() => this.missing.size === 0, what);
    assert.deepEqual(this.wrong, [], 'came again without the mark of a redelivery');
  }
}
