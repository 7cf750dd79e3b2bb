// The registry of the Node client's scenarios, and the line protocol that the runner speaks with it.

import { appendFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

const DEADLINE_SECONDS = 30;

/** One run of one scenario: where the broker is, and names that nobody else uses. */
export class Run {
  constructor(client, scenario) {
    this.client = client;
    this.scenario = scenario;
    this.url = process.env.INTEROP_URL;
    this.made = [];
  }

  /** A new queue name, recorded so that the queue is deleted after the scenario. */
  queue(label = 'queue') {
    return this.#name('queue', label);
  }

  /** A new exchange name, recorded as a queue's is. */
  exchange(label = 'exchange') {
    return this.#name('exchange', label);
  }

  #name(kind, label) {
    const name = `interop.${process.env.INTEROP_RUN}.${this.client}.${this.scenario}.${label}.${this.made.length}`;
    this.made.push({ kind, name });
    appendFileSync(process.env.INTEROP_NAMES, `${JSON.stringify({ scenario: this.scenario, kind, name })}\n`);
    return name;
  }
}

/** The scenarios of one client. `clean` deletes a run's queues and exchanges with that client. */
export class Scenarios {
  #scenarios = new Map();

  constructor(client, clean) {
    this.client = client;
    this.clean = clean;
  }

  /** Registers an asynchronous function that throws where the broker differs from it. */
  scenario(name, body, deadlineSeconds = DEADLINE_SECONDS) {
    if (this.#scenarios.has(name)) throw new Error(`two scenarios are called ${name}`);
    this.#scenarios.set(name, { body, deadlineSeconds });
  }

  /** Lists the scenarios with --list; else runs those that are named on stdin, one a line. */
  async main() {
    if (process.argv[2] === '--list') {
      const list = [...this.#scenarios].map(([name, { deadlineSeconds }]) => ({ name, deadline_seconds: deadlineSeconds }));
      console.log(JSON.stringify(list));
      return;
    }
    for await (const line of createInterface({ input: process.stdin })) {
      writeSync(1, `${JSON.stringify(await this.#answer(line.trim()))}\n`);
    }
  }

  async #answer(name) {
    const started = performance.now();
    const run = new Run(this.client, name);
    let detail = '';
    for (const step of [this.#scenarios.get(name).body, this.clean]) {
      try {
        await step(run);
      } catch (error) {
        detail += `${error.stack ?? error}\n`;
      }
    }
    return { scenario: name, passed: detail === '', seconds: (performance.now() - started) / 1000, detail };
  }
}
