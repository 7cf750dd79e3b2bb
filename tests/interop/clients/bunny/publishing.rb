# frozen_string_literal: true

# Large bodies, many channels, transactions, and properties.

require "digest"
require "uri"

# The largest body that is accepted.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
CHANNELS = 1000

CLIENT.scenario("message-16mb", deadline_seconds: LONG_SECONDS) do |run|
  channel = connect(run).create_channel
  queue = channel.queue(run.queue)
  body = Random.new(20).bytes(MESSAGE_BYTES_MAX)
  channel.confirm_select
  queue.publish(body)
  expect(channel.wait_for_confirms, "the large message was not accepted")
  inbox = consume(queue)
  message = take(inbox, "the large message")
  equal([message.body.bytesize, Digest::SHA256.digest(message.body)], [body.bytesize, Digest::SHA256.digest(body)], "length and digest")
  queue.publish("")
  equal(take(inbox, "the empty message").body.to_s, "", "an empty body")
end

CLIENT.scenario("channels-1000", deadline_seconds: LONG_SECONDS) do |run|
  connection = connect(run)
  channels = Array.new(CHANNELS) { connection.create_channel }
  queue = channels.first.queue(run.queue)
  channels.each { |channel| channel.default_exchange.publish(channel.id.to_s, routing_key: queue.name) }
  await("every message is in the queue") { queue.message_count == CHANNELS }
  got = channels.map do |channel|
    info, _, body = channel.basic_get(queue.name, manual_ack: true)
    channel.ack(info.delivery_tag)
    body.to_i
  end
  equal(got.sort, channels.map(&:id).sort, "a message of every channel")
  channels.each(&:close)
end

CLIENT.scenario("tx") do |run|
  connection = connect(run)
  channel = connection.create_channel
  queue = channel.queue(run.queue)
  witness = connection.create_channel.queue(queue.name)
  channel.tx_select
  queue.publish("rolled back")
  channel.tx_rollback
  queue.publish("committed")
  equal(queue.message_count, 0, "messages before the commit")
  channel.tx_commit
  equal(witness.message_count, 1, "messages after the commit")
  info, _, body = queue.pop(manual_ack: true)
  equal(body, "committed", "body")
  # An acknowledgement that is rolled back leaves the message with the channel.
  channel.ack(info.delivery_tag)
  channel.tx_rollback
  channel.recover
  info, = queue.pop(manual_ack: true)
  expect(info&.redelivered?, "the message was not marked as redelivered")
  channel.ack(info.delivery_tag)
  channel.tx_commit
  channel.close
  equal(witness.message_count, 0, "messages after the acknowledgement")
end

CLIENT.scenario("properties") do |run|
  queue = connect(run).create_channel.queue(run.queue)
  moment = Time.at(1_700_000_000)
  headers = {
    "text" => "text", "empty" => "", "yes" => true, "no" => false, "number" => 5, "large" => 1 << 40, "negative" => -70_000,
    "double" => 1.1, "moment" => moment, "nothing" => nil, "list" => ["a", 1, [2, "b"], { "deep" => ["bottom"] }, []],
    "table" => { "inner" => { "innermost" => { "number" => 1 } }, "empty" => {} }
  }
  sent = {
    content_type: "application/json", content_encoding: "utf-8", priority: 9, correlation_id: "correlation", reply_to: "reply",
    expiration: "600000", message_id: "message", timestamp: moment.to_i, type: "type", user_id: URI(run.url).user, app_id: "application"
  }
  queue.publish("{}", sent.merge(headers: headers.merge("umlauts" => "grüße"), persistent: true))
  got = taken(queue)
  equal(got.body, "{}", "body")
  # Bunny takes every text for bytes.
  equal(got.properties.headers.delete("umlauts").dup.force_encoding("UTF-8"), "grüße", "header umlauts")
  headers.each { |name, value| equal(got.properties.headers[name], value, "header #{name}") }
  equal(got.properties.headers.size, headers.size, "headers")
  # A timestamp is sent as a number and received as a time.
  sent.merge(timestamp: moment).each { |name, value| equal(got.properties[name], value, "property #{name}") }
  equal(got.properties.delivery_mode, 2, "delivery mode")
end

# Several threads publish, each on a channel of its own, on one connection.
CLIENT.scenario("many-publishers") do |run|
  connection = connect(run)
  queue = connection.create_channel.queue(run.queue)
  inbox = consume(queue)
  threads = Array.new(8) do |publisher|
    Thread.new do
      channel = connection.create_channel
      channel.confirm_select
      200.times { |number| channel.default_exchange.publish("#{publisher} #{number}", routing_key: queue.name) }
      channel.wait_for_confirms
    end
  end
  last = Hash.new(0)
  several(inbox, 8 * 200).each do |message|
    publisher, number = message.body.split.map(&:to_i)
    equal(number, last[publisher], "the next message of publisher #{publisher}")
    last[publisher] += 1
  end
  equal(threads.map(&:value), [true] * 8, "whether every message was accepted")
end
