# frozen_string_literal: true

# What goes wrong for one channel or one connection, and stays there.

CLIENT.scenario("channel-error") do |run|
  connection = connect(run)
  queue = connection.create_channel.queue(run.queue, durable: true)
  absent = run.queue("absent")
  [
    [Bunny::NotFound, "no queue '#{absent}'", ->(channel) { channel.queue(absent, passive: true) }],
    [Bunny::NotFound, "no exchange '#{absent}'", ->(channel) { channel.queue_bind(queue.name, absent) }],
    [Bunny::PreconditionFailed, "inequivalent arg 'durable' for queue '#{queue.name}'", ->(channel) { channel.queue(queue.name) }],
    [Bunny::PreconditionFailed, "x-message-ttl", lambda do |channel|
      channel.queue(queue.name, durable: true, arguments: { "x-message-ttl" => "soon" })
    end],
    [Bunny::AccessRefused, "reserved prefix", ->(channel) { channel.queue("amq.mine") }]
  ].each do |kind, reason, attempt|
    channel = connection.create_channel
    refused(kind, reason) { attempt.call(channel) }
    expect(channel.closed?, "the channel is still open")
    queue.publish("going on")
    equal(taken(queue).body, "going on", "body on the other channel")
  end
  # An acknowledgement has no answer: its error comes to a handler.
  channel = connection.create_channel
  told = Thread::Queue.new
  channel.on_error { |_, close| told << close }
  channel.basic_ack(9)
  close = take(told, "the error")
  equal(close.reply_code, 406, "code of #{close.reply_text}")
  expect(close.reply_text.include?("unknown delivery tag 9"), close.reply_text)
  # Neither has a publish: its error comes to who uses the channel next.
  channel = connection.create_channel
  channel.basic_publish("", absent, "")
  await("the channel is closed") { channel.closed? }
  refused(Bunny::ChannelAlreadyClosed, "no exchange '#{absent}'") { channel.queue(queue.name, passive: true) }
  expect(connection.open?, "the connection is closed")
end

CLIENT.scenario("connection-error") do |run|
  refused(Bunny::AuthenticationFailureError, "Authentication with RabbitMQ failed") { connect(run, pass: "wrong") }
  refused(Bunny::NotAllowedError, "vhost nowhere not found") do
    connect(run, vhost: "nowhere", session_error_handler: Thread.current)
  end
end

CLIENT.scenario("exclusive-queue") do |run|
  other = connect(run)
  owner = connect(run)
  queue = owner.create_channel.queue(run.queue, exclusive: true)
  [
    ->(channel) { channel.queue(queue.name, passive: true) },
    ->(channel) { channel.basic_consume(queue.name, "", true) { |*| nil } },
    ->(channel) { channel.queue_bind(queue.name, "amq.fanout") }
  ].each do |attempt|
    refused(Bunny::ResourceLocked, "exclusive access to locked queue '#{queue.name}'") { attempt.call(other.create_channel) }
  end
  owner.close
  # It is gone with its owner.
  expect(!other.queue_exists?(queue.name), "the queue outlived its owner")
end

CLIENT.scenario("auto-delete") do |run|
  connection = connect(run)
  channel = connection.create_channel
  exchange = channel.fanout(run.exchange, auto_delete: true)
  queue = channel.queue(run.queue, auto_delete: true).bind(exchange)
  consumers = Array.new(2) { queue.subscribe { |*| nil } }
  consumers.first.cancel
  expect(connection.queue_exists?(queue.name), "the queue went with the first of two consumers")
  consumers.last.cancel
  expect(!connection.queue_exists?(queue.name), "the queue outlived its last consumer")
  # Its binding was the exchange's last.
  expect(!connection.exchange_exists?(exchange.name), "the exchange outlived its last binding")
end
