# frozen_string_literal: true

# How messages come back, how far ahead they are sent, and what a consumer is told.

HEARTBEAT_SECONDS = 6

CLIENT.scenario("nack-requeue") do |run|
  channel = connect(run).create_channel
  queue = channel.queue(run.queue)
  %w[a b c].each { |body| queue.publish(body) }
  seen = lambda do |wanted, redelivered|
    info, _, body = queue.pop(manual_ack: true)
    equal([body, info&.redelivered?], [wanted, redelivered], "a message, and whether redelivered")
    info.delivery_tag
  end
  seen.call("a", false)
  channel.nack(seen.call("b", false), true, true)
  channel.reject(seen.call("a", true), false)
  channel.nack(seen.call("b", true), false, true)
  channel.ack(seen.call("b", true))
  seen.call("c", false)
  channel.recover
  channel.ack(seen.call("c", true))
  equal(drained(queue), [], "what is left")
end

CLIENT.scenario("multi-ack") do |run|
  channel = connect(run).create_channel
  queue = channel.queue(run.queue)
  inbox = consume(queue, manual_ack: true)
  messages = numbered("message", 100)
  messages.each { |each| queue.publish(each) }
  held = several(inbox, messages.size)
  equal(bodies(held), messages, "bodies")
  # Tags are settled one, several and all at a time.
  channel.ack(held[10].tag)
  channel.ack(held[49].tag, true)
  channel.nack(held[98].tag, true, false)
  channel.nack(held[99].tag, true, true)
  again = take(inbox, "the requeued message")
  equal([again.body, again.redelivered], [messages.last, true], "the requeued message")
  channel.ack(0, true)
  equal(queue.message_count, 0, "messages left")
  channel.close
  channel = connect(run).create_channel
  equal(channel.queue(queue.name).message_count, 0, "messages that came back")
end

CLIENT.scenario("qos-global") do |run|
  channel = connect(run).create_channel
  queues = %w[first second].map { |label| channel.queue(run.queue(label)) }
  queues.each { |queue| numbered("message", 5).each { |body| queue.publish(body) } }
  channel.basic_qos(2, false)
  channel.basic_qos(3, true)
  several(consume(queues[0], manual_ack: true), 2)
  equal(queues[0].message_count, 3, "ready where the consumer's limit holds")
  second = consume(queues[1], manual_ack: true)
  several(second, 1)
  equal(queues[1].message_count, 4, "ready where the channel's limit holds")
  channel.basic_qos(4, true)
  several(second, 1)
  equal(queues[1].message_count, 3, "ready where both hold")
end

CLIENT.scenario("cancel-notify") do |run|
  connection = connect(run)
  channel = connection.create_channel
  queue = channel.queue(run.queue)
  cancelled = Thread::Queue.new
  consumer = queue.subscribe(on_cancellation: ->(cancel) { cancelled << cancel.consumer_tag }) { |*| nil }
  connect(run).create_channel.queue_delete(queue.name)
  equal(take(cancelled, "the cancellation"), consumer.consumer_tag, "the consumer that was cancelled")
  # The channel is as good as before.
  expect(channel.open?, "the channel is closed")
  equal(connection.create_channel.queue(queue.name).message_count, 0, "messages of a new queue")
end

CLIENT.scenario("consumer-cancel") do |run|
  channel = connect(run).create_channel
  queue = channel.queue(run.queue)
  channel.prefetch(2)
  inbox = Thread::Queue.new
  consumer = queue.subscribe(manual_ack: true, exclusive: true) { |info, _, body| inbox << Delivered.new(body, info) }
  refused(Bunny::AccessRefused, "in exclusive use") do
    connect(run).create_channel.basic_consume(queue.name, "", true) { |*| nil }
  end
  numbered("message", 4).each { |body| queue.publish(body) }
  held = several(inbox, 2)
  equal(consumer.cancel.consumer_tag, consumer.consumer_tag, "the tag of the answer")
  # What was delivered stays with the channel, and can be settled.
  equal(queue.message_count, 2, "ready messages")
  channel.ack(held[0].tag)
  channel.nack(held[1].tag, false, true)
  equal(drained(queue), ["message 1", "message 2", "message 3"], "the rest")
end

CLIENT.scenario("consumer-priority") do |run|
  connection = connect(run)
  queue = connection.create_channel.queue(run.queue)
  inboxes = [1, 10].map do |priority|
    channel = connection.create_channel
    channel.prefetch(2)
    consume(channel.queue(queue.name), manual_ack: true, arguments: { "x-priority" => priority })
  end
  numbered("message", 4).each { |body| queue.publish(body) }
  equal(bodies(several(inboxes[1], 2)), ["message 0", "message 1"], "what the preferred consumer gets")
  equal(bodies(several(inboxes[0], 2)), ["message 2", "message 3"], "what the other gets")
end

CLIENT.scenario("heartbeat") do |run|
  connection = connect(run, heartbeat: HEARTBEAT_SECONDS)
  equal(connection.heartbeat, HEARTBEAT_SECONDS, "the heartbeat that was agreed on")
  queue = connection.create_channel.queue(run.queue)
  # Being idle is what is tested: Bunny gives up a connection on which nothing is to be read for two heartbeats.
  sleep(3 * HEARTBEAT_SECONDS)
  expect(connection.open?, "the connection is closed")
  queue.publish("still here")
  equal(drained(queue), ["still here"], "bodies")
end
