# frozen_string_literal: true

# What every client does: queues and exchanges, publishing and consuming.

KINDS = %w[direct fanout topic headers].freeze
CONFIRMED = 500

CLIENT.scenario("declare") do |run|
  connection = connect(run)
  channel = connection.create_channel
  name = run.queue("durable")
  arguments = { "x-max-length" => 10, "x-message-ttl" => 600_000 }
  exchanges = KINDS.to_h { |kind| [kind, run.exchange(kind)] }
  # The second time changes nothing. Bunny keeps what a channel declared, so it is another channel's.
  2.times do
    declaring = connection.create_channel
    equal(declaring.queue(name, durable: true, arguments: arguments).status, { message_count: 0, consumer_count: 0 }, "a declared queue")
    exchanges.each { |kind, exchange| declaring.exchange(exchange, type: kind, durable: true) }
  end
  exchanges.each_value { |exchange| expect(connection.exchange_exists?(exchange), "#{exchange} is not there") }
  refused(Bunny::PreconditionFailed, "inequivalent arg 'x-max-length' for queue '#{name}'") do
    connection.create_channel.queue(name, durable: true, arguments: arguments.merge("x-max-length" => 11))
  end

  named = channel.queue("", exclusive: true, auto_delete: true)
  expect(named.name.start_with?("amq.gen-") && named.server_named?, "a name of the broker's, got #{named.name}")
  consumer = named.subscribe { |*| nil }
  equal(named.consumer_count, 1, "consumers")
  consumer.cancel
  expect(!connection.queue_exists?(named.name), "the queue outlived its last consumer")

  exchanges.each_value { |exchange| channel.exchange_delete(exchange, if_unused: true) }
  queue = channel.queue(name, durable: true, arguments: arguments)
  queue.publish("left")
  await("the message is in the queue") { queue.message_count == 1 }
  refused(Bunny::PreconditionFailed, "not empty") { connection.create_channel.queue_delete(name, if_empty: true) }
  equal(queue.delete.message_count, 1, "messages in the deleted queue")
  refused(Bunny::NotFound, "no queue '#{name}'") { connection.create_channel.queue(name, passive: true) }
  expect(connection.open? && channel.open?, "the errors went beyond their channels")
end

CLIENT.scenario("bind") do |run|
  channel = connect(run).create_channel
  queue = channel.queue(run.queue)
  exchanges = KINDS.to_h { |kind| [kind, channel.exchange(run.exchange(kind), type: kind)] }
  all = { "x-match" => "all", "format" => "pdf", "pages" => 3 }
  queue.bind(exchanges["direct"], routing_key: "key")
  queue.bind(exchanges["fanout"])
  queue.bind(exchanges["topic"], routing_key: "*.orange.#")
  queue.bind(exchanges["headers"], arguments: all)
  # Through another exchange, too.
  exchanges["direct"].bind(exchanges["topic"], routing_key: "through")
  queue.bind(exchanges["direct"], routing_key: "through")
  routed = lambda do
    exchanges["direct"].publish("direct", routing_key: "key")
    exchanges["direct"].publish("lost", routing_key: "other")
    exchanges["fanout"].publish("fanout", routing_key: "anything")
    exchanges["topic"].publish("topic", routing_key: "quick.orange.fox.fast")
    exchanges["topic"].publish("lost", routing_key: "orange")
    exchanges["topic"].publish("through", routing_key: "through")
    exchanges["headers"].publish("headers", headers: { "format" => "pdf", "pages" => 3, "more" => true })
    exchanges["headers"].publish("lost", headers: { "format" => "pdf" })
    queue.publish("end")
    got = [taken(queue).body]
    got << taken(queue).body until got.last == "end"
    got
  end
  equal(routed.call, %w[direct fanout topic through headers end], "routed")
  queue.unbind(exchanges["direct"], routing_key: "key")
  queue.unbind(exchanges["headers"], arguments: all)
  exchanges["direct"].unbind(exchanges["topic"], routing_key: "through")
  equal(routed.call, %w[fanout topic end], "routed after the unbinds")
end

CLIENT.scenario("confirmed-publish") do |run|
  connection = connect(run)
  channel = connection.create_channel
  queue = channel.queue(run.queue, durable: true)
  channel.confirm_select
  CONFIRMED.times { |number| queue.publish(number.to_s, persistent: number.even?) }
  expect(channel.wait_for_confirms, "not every message was accepted")
  equal([channel.unconfirmed_set.to_a, channel.nacked_set.to_a], [[], []], "unconfirmed and refused messages")
  equal(queue.message_count, CONFIRMED, "messages")

  told = Thread::Queue.new
  refusing = connection.create_channel
  refusing.confirm_select(->(tag, _multiple, nack) { told << [tag, nack] })
  full = refusing.queue(run.queue("full"), arguments: { "x-max-length" => 1, "x-overflow" => "reject-publish" })
  [false, true].each.with_index(1) do |nack, tag|
    full.publish("message #{tag}")
    equal(take(told, "the callback"), [tag, nack], "tag, and whether refused")
  end
  expect(!refusing.wait_for_confirms, "the second message was accepted")
  equal(refusing.nacked_set.to_a, [2], "refused messages")
end

CLIENT.scenario("consume-ack-prefetch") do |run|
  connection = connect(run)
  channel = connection.create_channel
  queue = channel.queue(run.queue)
  messages = numbered("message", 10)
  messages.each { |each| queue.publish(each) }
  channel.prefetch(2)
  inbox = consume(queue, manual_ack: true)
  held = several(inbox, 2)
  equal(bodies(held), messages[0, 2], "the first two")
  # No more than two are on their way: the others are ready.
  equal(queue.message_count, 8, "ready messages")
  channel.ack(held.last.tag, true)
  held = several(inbox, 2)
  equal(bodies(held), messages[2, 2], "the next two")
  equal(queue.message_count, 6, "ready messages")
  channel.ack(held.first.tag)
  equal(take(inbox, "the next one").body, messages[4], "the next one")
  channel.close

  again = connection.create_channel
  again.prefetch(2)
  queue = again.queue(queue.name)
  inbox = consume(queue, manual_ack: true)
  messages.drop(3).each_with_index do |body, number|
    message = take(inbox, body)
    got = [message.body, message.redelivered, message.info.exchange, message.info.routing_key]
    equal(got, [body, number < 2, "", queue.name], "a delivery")
    again.ack(message.tag)
  end
  equal(queue.message_count, 0, "ready messages")
end

CLIENT.scenario("return") do |run|
  channel = connect(run).create_channel
  queue = channel.queue(run.queue)
  nowhere = run.queue("nowhere")
  events = Thread::Queue.new
  channel.confirm_select(->(tag, _multiple, nack) { events << [nack ? "nack" : "ack", tag] })
  exchange = channel.default_exchange
  exchange.on_return do |info, properties, body|
    events << ["return", info.reply_code, info.reply_text, info.exchange, info.routing_key, body, properties.message_id, properties.headers]
  end
  options = { message_id: "id", headers: { "header" => 7 } }
  exchange.publish("routable", options.merge(routing_key: queue.name, mandatory: true))
  equal(take(events, "the first confirm"), ["ack", 1], "the first confirm")
  exchange.publish("dropped", options.merge(routing_key: nowhere))
  equal(take(events, "the second confirm"), ["ack", 2], "the second confirm")
  exchange.publish("returned", options.merge(routing_key: nowhere, mandatory: true))
  equal(take(events, "the return"), ["return", 312, "NO_ROUTE", "", nowhere, "returned", "id", { "header" => 7 }], "the return")
  equal(take(events, "the third confirm"), ["ack", 3], "the third confirm")
  equal(drained(queue), ["routable"], "messages that were routed")
end

CLIENT.scenario("get") do |run|
  channel = connect(run).create_channel
  queue = channel.queue(run.queue)
  equal(queue.pop, [nil, nil, nil], "a message of an empty queue")
  queue.publish("first")
  queue.publish("second")
  [false, true].each do |again|
    info, _, body = queue.pop(manual_ack: true)
    equal([body, info.redelivered?, info.routing_key], ["first", again, queue.name], "first")
    # Bunny does not tell the count of those behind that comes with the message.
    equal(queue.message_count, 1, "messages behind")
    again ? channel.ack(info.delivery_tag) : channel.reject(info.delivery_tag, true)
  end
  queue.purge
  equal(drained(queue), [], "messages after the purge")
end

CLIENT.scenario("rpc-reply-to") do |run|
  reply_to = "amq.rabbitmq.reply-to"
  serving = connect(run).create_channel
  queue = serving.queue(run.queue("rpc_queue"))
  addresses = Thread::Queue.new
  queue.subscribe(manual_ack: true) do |info, properties, body|
    addresses << properties.reply_to
    serving.default_exchange.publish("answer to #{body}", routing_key: properties.reply_to, correlation_id: properties.correlation_id)
    serving.ack(info.delivery_tag)
  end
  calling = connect(run).create_channel
  replies = Thread::Queue.new
  calling.basic_consume(reply_to, "", true) { |_, properties, body| replies << [properties.correlation_id, body] }
  wanted = numbered("question", 5).to_h do |question|
    calling.default_exchange.publish(question, routing_key: queue.name, reply_to: reply_to, correlation_id: "id of #{question}")
    ["id of #{question}", "answer to #{question}"]
  end
  equal(several(replies, wanted.size).to_h, wanted, "the replies")
  several(addresses, wanted.size).each { |each| expect(each.start_with?("#{reply_to}."), "an address of the broker's, got #{each}") }
end

CLIENT.scenario("ttl-dead-letter") do |run|
  channel = connect(run).create_channel
  exchange = channel.direct(run.exchange("dead"))
  dead = channel.queue(run.queue("dead")).bind(exchange, routing_key: "gone")
  to = { "x-dead-letter-exchange" => exchange.name, "x-dead-letter-routing-key" => "gone" }
  brief = channel.queue(run.queue("brief"), arguments: to.merge("x-message-ttl" => 50))
  kept = channel.queue(run.queue("kept"), arguments: to.merge("x-max-length" => 1))
  died = lambda do |queue, reason, expiration = nil|
    message = taken(dead)
    equal(message.body, reason, "body")
    headers = message.properties.headers
    equal(headers["x-death"].size, 1, "deaths")
    death = headers["x-death"].first
    equal(death.values_at("queue", "reason", "count", "exchange", "routing-keys"), [queue.name, reason, 1, "", [queue.name]], "the death")
    equal(death["original-expiration"], expiration, "original-expiration")
    equal(headers.values_at("x-first-death-queue", "x-first-death-reason"), [queue.name, reason], "the first death")
    equal(message.properties.expiration, nil, "the expiration of a dead letter")
  end
  brief.publish("expired")
  died.call(brief, "expired")
  kept.publish("expired", expiration: "50")
  died.call(kept, "expired", "50")
  kept.publish("rejected")
  channel.reject(kept.pop(manual_ack: true).first.delivery_tag)
  died.call(kept, "rejected")
  kept.publish("maxlen")
  kept.publish("last")
  died.call(kept, "maxlen")
end
