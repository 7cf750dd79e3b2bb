// How the scenarios make Nest applications: microservices that serve a queue, and those that call them.

import 'reflect-metadata';
import { Controller, Dependencies, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule, Transport } from '@nestjs/microservices';
import { clean } from '../amqplib/client.js';
import { Scenarios } from '../scenario.js';

const LOGGER = ['error', 'warn'];
const SOCKET = { reconnectTimeInSeconds: 0.1 };

/**
 * Says of a class what decorators say in TypeScript: `handlers` are its methods, each with its decorator and those of its
 * parameters. It is given `journal`, an array, by Nest.
 */
export function controller(type, handlers) {
  Controller()(type);
  Dependencies('JOURNAL')(type);
  for (const [method, [decorator, ...parameters]] of Object.entries(handlers)) {
    parameters.forEach((parameter, place) => parameter(type.prototype, method, place));
    decorator(type.prototype, method, Object.getOwnPropertyDescriptor(type.prototype, method));
  }
  return type;
}

/** Calls `body` while the application of this controller serves; it gets what the controller wrote down. */
export async function serving(type, options, body) {
  class Application {}
  const journal = [];
  Module({ controllers: [type], providers: [{ provide: 'JOURNAL', useValue: journal }] })(Application);
  const microservice = { transport: Transport.RMQ, options: { socketOptions: SOCKET, ...options } };
  const application = await NestFactory.createMicroservice(Application, { ...microservice, logger: LOGGER });
  try {
    await application.listen();
    return await body(journal, application);
  } finally {
    await application.close();
  }
}

/** Calls `body` with the client that another application gets injected. */
export async function calling(options, body) {
  class Caller {}
  const broker = { name: 'BROKER', transport: Transport.RMQ, options: { socketOptions: SOCKET, ...options } };
  Module({ imports: [ClientsModule.register([broker])] })(Caller);
  const application = await NestFactory.createApplicationContext(Caller, { logger: LOGGER });
  try {
    const client = application.get('BROKER');
    await client.connect();
    return await body(client);
  } finally {
    await application.close();
  }
}

export const NEST = new Scenarios('nest', clean);
