package main

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const heartbeatEvery = 6 * time.Second

func nackRequeue(r *run) {
	r.withChannel(func(channel *amqp.Channel) {
		queue := r.declared(channel, "queue", nil)
		for _, body := range []string{"a", "b", "c"} {
			send(channel, queue, body)
		}
		seen := func(wanted string, redelivered bool) amqp.Delivery {
			message, there, err := channel.Get(queue, false)
			must(err)
			expect(there, "the queue is empty, expected %q", wanted)
			equal(string(message.Body), wanted, "body")
			equal(message.Redelivered, redelivered, wanted+" was redelivered")
			return message
		}
		seen("a", false)
		must(seen("b", false).Nack(true, true))
		first, second := seen("a", true), seen("b", true)
		must(first.Reject(false))
		must(second.Nack(false, true))
		must(seen("b", true).Ack(false))
		seen("c", false)
		must(channel.Recover(true))
		must(seen("c", true).Ack(false))
		equal(drained(channel, queue), []string{}, "what is left")
	})
}

func cancelNotify(r *run) {
	r.withChannel(func(other *amqp.Channel) {
		r.withChannel(func(channel *amqp.Channel) {
			queue := r.declared(channel, "queue", nil)
			cancelled := channel.NotifyCancel(make(chan string, 1))
			deliveries, err := channel.Consume(queue, "mine", true, false, false, false, nil)
			must(err)
			_, err = other.QueueDelete(queue, false, false, false)
			must(err)
			equal(next(cancelled, "the cancellation"), "mine", "the consumer that was cancelled")
			equal(len(closed(deliveries, "the deliveries")), 0, "deliveries")
			// The channel is as good as before.
			_, err = channel.QueueDeclare(queue, false, false, false, false, nil)
			must(err)
		})
	})
}

func consumerCancel(r *run) {
	r.withChannel(func(channel *amqp.Channel) {
		queue := r.declared(channel, "queue", nil)
		must(channel.Qos(2, 0, false))
		deliveries, err := channel.Consume(queue, "mine", false, false, false, false, nil)
		must(err)
		for _, each := range numbered("message", 4) {
			send(channel, queue, each)
		}
		held := several(deliveries, 2)
		must(channel.Cancel("mine", false))
		equal(len(closed(deliveries, "the deliveries")), 0, "deliveries after the cancel")
		// What was delivered stays with the channel, and can be settled.
		equal(ready(channel, queue), 2, "ready messages")
		must(held[0].Ack(false))
		must(held[1].Nack(false, true))
		again, err := channel.Consume(queue, "mine", false, true, false, false, nil)
		must(err)
		rest := several(again, 2)
		must(rest[1].Ack(true))
		equal(bodies(append(rest, several(again, 1)...)), []string{"message 1", "message 2", "message 3"}, "the rest")
		// That consumer was exclusive.
		r.withChannel(func(other *amqp.Channel) {
			_, err := other.Consume(queue, "", false, false, false, false, nil)
			isError(err, amqp.AccessRefused, "exclusive")
		})
	})
}

// qosGlobal: with global the limit is the channel's, without it each new consumer's.
func qosGlobal(r *run) {
	r.withChannel(func(channel *amqp.Channel) {
		first, second := r.declared(channel, "first", nil), r.declared(channel, "second", nil)
		for _, queue := range []string{first, second} {
			for _, each := range numbered("message", 5) {
				send(channel, queue, each)
			}
		}
		must(channel.Qos(2, 0, false))
		must(channel.Qos(3, 0, true))
		one := consume(channel, first, false)
		held := several(one, 2)
		equal(ready(channel, first), 3, "ready where the consumer's limit holds")
		two := consume(channel, second, false)
		held = append(held, several(two, 1)...)
		equal(ready(channel, second), 4, "ready where the channel's limit holds")
		must(channel.Qos(4, 0, true))
		held = append(held, several(two, 1)...)
		equal(bodies(held), []string{"message 0", "message 1", "message 0", "message 1"}, "deliveries")
		equal([]int{ready(channel, first), ready(channel, second)}, []int{3, 3}, "ready messages")
	})
}

func heartbeat(r *run) {
	connection, err := amqp.DialConfig(r.url, amqp.Config{Heartbeat: heartbeatEvery})
	must(err)
	defer connection.Close()
	equal(connection.Config.Heartbeat, heartbeatEvery, "the heartbeat that was agreed on")
	gone := connection.NotifyClose(make(chan *amqp.Error, 1))
	channel := channelOf(connection)
	queue := r.declared(channel, "queue", nil)
	// Being idle is what is tested: the library gives up a connection from which it misses three heartbeats.
	select {
	case problem := <-gone:
		panic(problem)
	case <-time.After(4 * heartbeatEvery):
	}
	send(channel, queue, "still here")
	equal(drained(channel, queue), []string{"still here"}, "bodies")
}
