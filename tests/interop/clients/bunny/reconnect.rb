# frozen_string_literal: true

# Bunny connects again by itself, and makes again what the connection had.

require "net/http"

RESTART_SECONDS = 40
BATCH = 50
PREFETCH = 10

def restart(how)
  uri = URI("#{ENV.fetch('INTEROP_CONTROL')}/restart?how=#{how}")
  answer = Net::HTTP.start(uri.host, uri.port, read_timeout: RESTART_SECONDS) { |http| http.post(uri.request_uri, "") }
  equal(answer.code, "204", "the answer to the restart")
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
    restart(how)
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
