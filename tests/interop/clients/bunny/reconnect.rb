# frozen_string_literal: true

# Bunny connects again by itself, and makes again what the connection had.

require "net/http"

RESTART_SECONDS = 180
BATCH = 50
PREFETCH = 10

def control(what)
  uri = URI("#{ENV.fetch('INTEROP_CONTROL')}#{what}")
  answer = Net::HTTP.start(uri.host, uri.port, read_timeout: RESTART_SECONDS) { |http| http.post(uri.request_uri, "") }
  equal(answer.code, "204", "the answer to #{what}")
end

CLIENT.scenario("reconnect", deadline_seconds: LONG_SECONDS) do |run|
  recovered = Thread::Queue.new
  connection = connect(
    run, url: ENV.fetch("INTEROP_RESTART_URL"), automatically_recover: true, network_recovery_interval: 0.1,
    recovery_completed: -> { recovered << true }
  )
  publishing = connection.create_channel
  publishing.confirm_select
  consuming = connection.create_channel
  consuming.prefetch(PREFETCH)
  exchange = consuming.topic(run.exchange, auto_delete: true)
  queue = consuming.queue(run.queue, durable: true).bind(exchange, routing_key: "work.#")
  temporary = consuming.queue("", exclusive: true).bind(exchange, routing_key: "event.#")
  events = consume(temporary)
  inbox = consume(queue, manual_ack: true)
  publish = lambda do |key, messages|
    # One at a time: after a recovery this version of Bunny takes an ack of several messages for one of none.
    messages.each do |each|
      publishing.basic_publish(each, exchange.name, key, persistent: true)
      expect(publishing.wait_for_confirms, "#{each} was not accepted")
    end
  end
  %w[kill stop].each do |how|
    confirmed = publish.call("work.before", numbered("#{how} before", BATCH))
    # These are unacknowledged when the broker goes, the others ready.
    several(inbox, PREFETCH)
    name = temporary.name
    control("/restart?how=#{how}")
    take(recovered, "the recovery")
    confirmed += publish.call("work.after", numbered("#{how} after", BATCH))
    seen = {}
    until seen.size == confirmed.size
      message = take(inbox, "#{confirmed.size} confirmed messages, of which did not come #{(confirmed - seen.keys).first(5)} ...")
      expect(confirmed.include?(message.body), "nobody published #{message.body}")
      seen[message.body] = true
      consuming.ack(message.tag)
    end
    # Its name was the broker's, so it has a new one, with the same binding and consumer.
    expect(temporary.name != name && temporary.name.start_with?("amq.gen-"), "a new name, got #{temporary.name}")
    publish.call("event.#{how}", [how])
    equal(take(events, "the event").body, how, "the event")
  end
  equal(queue.message_count, 0, "messages left")
  queue.delete
end

# Who publishes during an alarm is told, and what it sends is confirmed afterwards; who consumes goes on.
CLIENT.scenario("blocked", deadline_seconds: LONG_SECONDS, own_broker: true) do |run|
  publishing, consuming = Array.new(2) { connect(run, url: ENV.fetch("INTEROP_RESTART_URL")) }
  notices = Thread::Queue.new
  publishing.on_blocked { |blocked| notices << blocked.reason }
  publishing.on_unblocked { |_| notices << :unblocked }
  channel = publishing.create_channel
  channel.confirm_select
  queue = channel.queue(run.queue)
  queue.publish("before")
  expect(channel.wait_for_confirms, "not accepted")
  sent = 0
  send = lambda do |body|
    queue.publish(body)
    sent += 1
  end
  control("/alarm?is=set")
  await("the notice that publishers are blocked") do
    send.call("waits")
    !notices.empty?
  end
  reason = notices.pop
  expect(reason.include?("disk") && publishing.blocked?, "blocked because of the disk, got #{reason}")
  consumer = consuming.create_channel.queue(queue.name, passive: true)
  equal(taken(consumer).body, "before", "what is consumed meanwhile")
  send.call("last")
  control("/alarm?is=clear")
  equal(take(notices, "the notice that they are not"), :unblocked, "the notice")
  expect(channel.wait_for_confirms, "not accepted")
  equal(consumer.message_count, sent, "messages")
  queue.delete
end
