// The registry of a Node client's scenarios, and the line protocol that the runner speaks with it.

import assert from 'node:assert/strict';
import { appendFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';

const DEADLINE_SECONDS = 180;

/** One run of one scenario: where the broker is, and names that nobody else uses. */
export class Run {
  constructor(client, scenario) {
    this.client = client;
    this.scenario = scenario;
    this.url = process.env.INTEROP_URL;
    /** A broker of this client's own, which `restart` restarts. */
    this.restartUrl = process.env.INTEROP_RESTART_URL;
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

  /** Restarts the broker at `restartUrl`, by "kill" or "stop", with its port and its data. It serves when this returns. */
  async restart(how) {
    await this.#control(`/restart?how=${how}`);
  }

  /** Sets ("set") or clears ("clear") an alarm of that broker, which blocks publishers as long as it is set. */
  async alarm(state) {
    await this.#control(`/alarm?is=${state}`);
  }

  async #control(path) {
    const answer = await fetch(process.env.INTEROP_CONTROL + path, { method: 'POST' });
    assert.equal(answer.status, 204, await answer.text());
  }

  #name(kind, label) {
    const name = `interop.${process.env.INTEROP_RUN}.${this.client}.${this.scenario}.${label}.${this.made.length}`;
    this.record(kind, name);
    return name;
  }

  /** Notes a name that the scenario or its library chose, so that it is deleted too. */
  record(kind, name) {
    this.made.push({ kind, name });
    appendFileSync(process.env.INTEROP_NAMES, `${JSON.stringify({ scenario: this.scenario, kind, name })}\n`);
  }
}

/** The scenarios of one client. `clean` deletes a run's queues and exchanges with that client. */
export class Scenarios {
  #scenarios = new Map();

  constructor(client, clean) {
    this.client = client;
    this.clean = clean;
  }

  /** Registers an asynchronous function that throws where the broker differs from it; `ownBroker` if it uses `restartUrl`. */
  scenario(name, body, deadlineSeconds = DEADLINE_SECONDS, ownBroker = false) {
    if (this.#scenarios.has(name)) throw new Error(`two scenarios are called ${name}`);
    this.#scenarios.set(name, { body, deadlineSeconds, ownBroker });
  }

  /** Says why the client has no scenario of this name. */
  notApplicable(name, reason) {
    this.#scenarios.set(name, { reason });
  }

  /** Lists the scenarios with --list; else runs those that are named on stdin, one a line. */
  async main() {
    if (process.argv[2] === '--list') {
      const list = [...this.#scenarios].map(([name, { reason, deadlineSeconds, ownBroker }]) => (
        reason ? { name, not_applicable: reason } : { name, deadline_seconds: deadlineSeconds, own_broker: ownBroker }
      ));
      console.log(JSON.stringify(list));
      return;
    }
    // What a library prints must not end up between the answers.
    process.stdout.write = process.stderr.write.bind(process.stderr);
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
