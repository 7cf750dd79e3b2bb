# frozen_string_literal: true

require "bunny"
require "timeout"
require "scenarios"

WAIT_SECONDS = 60
POLL_SECONDS = 0.02
LONG_SECONDS = 300

# Takes what errors there are of the whole connection: Bunny would raise them in the thread that connected.
class Errors
  attr_reader :all

  def initialize
    @all = Thread::Queue.new
  end

  def raise(*error)
    @all << error.first
  end
end

# A connection that is closed after the scenario, whatever happened. Without recovery, which would hide what the broker did.
def connect(run, url: run.url, **options)
  defaults = { automatically_recover: false, log_file: $stderr, session_error_handler: Errors.new }
  connection = Bunny.new(url, defaults.merge(options))
  run.connections << connection
  connection.start
end

CLIENT = Scenarios.new("bunny") do |run|
  run.connections.each { |connection| connection.close if connection.open? }
  unless run.made.empty?
    connection = Bunny.new(run.url, log_file: $stderr).start
    channel = connection.create_channel
    # Deleting what is gone already is no error.
    run.made.each { |kind, name| kind == "queue" ? channel.queue_delete(name) : channel.exchange_delete(name) }
    connection.close
  end
end

def expect(holds, what)
  raise what unless holds
end

def equal(got, wanted, what)
  expect(got == wanted, "#{what}: got #{got.inspect}, expected #{wanted.inspect}")
end

# Waits for what another thread or the broker brings about.
def await(what)
  ends = Time.now + WAIT_SECONDS
  until (met = yield)
    expect(Time.now < ends, "not within #{WAIT_SECONDS} seconds: #{what}")
    sleep(POLL_SECONDS)
  end
  met
end

# Takes one value that another thread puts into the queue.
def take(queue, what)
  Timeout.timeout(WAIT_SECONDS, RuntimeError, "not within #{WAIT_SECONDS} seconds: #{what}") { queue.pop }
end

def several(queue, count, what = "a delivery")
  Array.new(count) { |number| take(queue, "#{what}, #{number + 1} of #{count}") }
end

# The error of the broker with which the block must fail.
def refused(kind, reason)
  yield
  raise "no error, expected #{kind} #{reason}"
rescue kind => e
  expect(e.message.include?(reason), "#{reason.inspect} is missing from #{e.message.inspect}")
end

Delivered = Struct.new(:body, :info, :properties) do
  def tag
    info.delivery_tag
  end

  def redelivered
    info.redelivered?
  end
end

# A consumer that puts its deliveries into a queue to take them from.
def consume(queue, manual_ack: false, **options)
  inbox = Thread::Queue.new
  queue.subscribe(manual_ack: manual_ack, **options) { |info, properties, body| inbox << Delivered.new(body, info, properties) }
  inbox
end

def bodies(deliveries)
  deliveries.map(&:body)
end

# Gets what is in the queue.
def drained(queue)
  all = []
  while (body = queue.pop[2])
    all << body
  end
  all
end

# Gets one message that may still be on its way.
def taken(queue)
  await("a message in #{queue.name}") do
    info, properties, body = queue.pop
    info && Delivered.new(body, info, properties)
  end
end

def numbered(prefix, count)
  Array.new(count) { |number| "#{prefix} #{number}" }
end
