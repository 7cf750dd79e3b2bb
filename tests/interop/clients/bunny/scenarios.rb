# frozen_string_literal: true

require "json"

# One run of one scenario: where the broker is, and names that nobody else uses.
class Run
  attr_reader :made, :scenario
  attr_accessor :connections

  def initialize(client, scenario)
    @client = client
    @scenario = scenario
    @made = []
    @connections = []
  end

  def url
    ENV.fetch("INTEROP_URL")
  end

  # A new queue name, recorded so that the queue is deleted after the scenario.
  def queue(label = "queue")
    record("queue", name(label))
  end

  # A new exchange name, recorded as a queue's is.
  def exchange(label = "exchange")
    record("exchange", name(label))
  end

  private

  def name(label)
    ["interop", ENV.fetch("INTEROP_RUN"), @client, @scenario, label, @made.size].join(".")
  end

  def record(kind, name)
    @made << [kind, name]
    File.open(ENV.fetch("INTEROP_NAMES"), "a") do |names|
      names.puts(JSON.generate(scenario: @scenario, kind: kind, name: name))
    end
    name
  end
end

# The scenarios of one client, and the line protocol that the runner speaks with it.
class Scenarios
  DEADLINE_SECONDS = 180

  # The block closes what the run opened and deletes what it made.
  def initialize(client, &clean)
    @client = client
    @clean = clean
    @scenarios = {}
  end

  # Registers a block that raises where the broker differs from it. With +own_broker+ it finds that one running.
  def scenario(name, deadline_seconds: DEADLINE_SECONDS, own_broker: false, &body)
    raise ArgumentError, "two scenarios are called #{name}" if @scenarios.key?(name)

    @scenarios[name] = { body: body, deadline_seconds: deadline_seconds, own_broker: own_broker }
  end

  # Lists the scenarios with --list; else runs those that are named on stdin, one a line.
  def main(arguments)
    answers = $stdout.dup
    answers.sync = true
    # What a library prints must not end up between the answers.
    $stdout.reopen($stderr)
    if arguments == ["--list"]
      answers.puts(JSON.generate(@scenarios.map { |name, each| { name: name }.merge(each.except(:body)) }))
    else
      $stdin.each_line { |line| answers.puts(JSON.generate(answer(line.strip))) }
    end
  end

  private

  def answer(name)
    started = now
    run = Run.new(@client, name)
    detail = [@scenarios.fetch(name)[:body], @clean].map { |step| failure(step, run) }.join
    { scenario: name, passed: detail.empty?, seconds: now - started, detail: detail }
  end

  def failure(step, run)
    step.call(run)
    ""
  rescue StandardError => e
    e.full_message(highlight: false)
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
