package main

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	waitFor   = 60 * time.Second
	pollEvery = 20 * time.Millisecond
)

// must ends the scenario with the error, if there is one.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func expect(holds bool, format string, values ...any) {
	if !holds {
		panic(fmt.Sprintf(format, values...))
	}
}

func equal(got, wanted any, what string) {
	expect(reflect.DeepEqual(got, wanted), "%s: got %#v, expected %#v", what, got, wanted)
}

// until waits for the condition, which another goroutine or the broker brings about.
func until(what string, condition func() bool) {
	ends := time.Now().Add(waitFor)
	for !condition() {
		expect(time.Now().Before(ends), "not within %s: %s", waitFor, what)
		time.Sleep(pollEvery)
	}
}

// next takes one value from the channel.
func next[T any](values <-chan T, what string) T {
	select {
	case value, open := <-values:
		expect(open, "the Go channel was closed before it had: %s", what)
		return value
	case <-time.After(waitFor):
		panic(fmt.Sprintf("not within %s: %s", waitFor, what))
	}
}

// closed waits until the library has closed the Go channel and returns what was still in it.
func closed[T any](values <-chan T, what string) []T {
	left := []T{}
	deadline := time.After(waitFor)
	for {
		select {
		case value, open := <-values:
			if !open {
				return left
			}
			left = append(left, value)
		case <-deadline:
			panic(fmt.Sprintf("not within %s: the end of %s", waitFor, what))
		}
	}
}

// connected calls the body with a connection that is closed afterwards, whatever happened.
func (r *run) connected(body func(*amqp.Connection)) {
	connection, err := amqp.Dial(r.url)
	must(err)
	defer connection.Close()
	body(connection)
}

// withChannel calls the body with a channel on a connection of its own.
func (r *run) withChannel(body func(*amqp.Channel)) {
	r.connected(func(connection *amqp.Connection) { body(channelOf(connection)) })
}

func channelOf(connection *amqp.Connection) *amqp.Channel {
	channel, err := connection.Channel()
	must(err)
	return channel
}

// declared makes an ordinary queue that outlives the connection and returns its name.
func (r *run) declared(channel *amqp.Channel, label string, arguments amqp.Table) string {
	queue, err := channel.QueueDeclare(r.queue(label), false, false, false, false, arguments)
	must(err)
	return queue.Name
}

func publish(channel *amqp.Channel, exchange, key string, message amqp.Publishing) {
	must(channel.PublishWithContext(context.Background(), exchange, key, false, false, message))
}

func send(channel *amqp.Channel, queue, body string) {
	publish(channel, "", queue, amqp.Publishing{Body: []byte(body)})
}

// confirming puts the channel into confirm mode. By what it returns, since in this version of the library a
// DeferredConfirmation misses a confirm that is there before the publish has returned, and then waits for ever.
func confirming(channel *amqp.Channel) <-chan amqp.Confirmation {
	must(channel.Confirm(false))
	return channel.NotifyPublish(make(chan amqp.Confirmation, 1000))
}

// take gets one message that must be there, without owing an acknowledgement.
func take(channel *amqp.Channel, queue string) amqp.Delivery {
	message, there, err := channel.Get(queue, true)
	must(err)
	expect(there, "%s is empty", queue)
	return message
}

// taken gets one message that may still be on its way.
func taken(channel *amqp.Channel, queue string) (message amqp.Delivery) {
	until("a message in "+queue, func() (there bool) {
		var err error
		message, there, err = channel.Get(queue, true)
		must(err)
		return there
	})
	return message
}

// drained gets what is in the queue.
func drained(channel *amqp.Channel, queue string) []string {
	bodies := []string{}
	for {
		message, there, err := channel.Get(queue, true)
		must(err)
		if !there {
			return bodies
		}
		bodies = append(bodies, string(message.Body))
	}
}

func ready(channel *amqp.Channel, queue string) int {
	found, err := channel.QueueDeclarePassive(queue, false, false, false, false, nil)
	must(err)
	return found.Messages
}

func consume(channel *amqp.Channel, queue string, autoAck bool) <-chan amqp.Delivery {
	deliveries, err := channel.Consume(queue, "", autoAck, false, false, false, nil)
	must(err)
	return deliveries
}

func bodies(deliveries []amqp.Delivery) []string {
	list := []string{}
	for _, each := range deliveries {
		list = append(list, string(each.Body))
	}
	return list
}

// several takes so many deliveries.
func several(deliveries <-chan amqp.Delivery, count int) []amqp.Delivery {
	list := []amqp.Delivery{}
	for len(list) < count {
		list = append(list, next(deliveries, fmt.Sprintf("delivery %d of %d", len(list)+1, count)))
	}
	return list
}

func numbered(prefix string, count int) []string {
	list := []string{}
	for number := 0; number < count; number++ {
		list = append(list, fmt.Sprintf("%s %d", prefix, number))
	}
	return list
}

// isError expects an error of the broker with that code whose text contains the reason.
func isError(err error, code int, reason string) {
	problem, is := err.(*amqp.Error)
	expect(is && problem != nil, "expected %d %s, got %v", code, reason, err)
	equal(problem.Code, code, "code of "+problem.Reason)
	expect(strings.Contains(problem.Reason, reason), "%q is missing from %q", reason, problem.Reason)
	expect(problem.Server, "the error did not come from the broker: %v", problem)
}

// clean deletes what the run made: deleting what is gone already is no error.
func (r *run) clean() {
	if len(r.made) == 0 {
		return
	}
	// Not by r.url, which a scenario may have changed.
	(&run{url: mainURL()}).withChannel(func(channel *amqp.Channel) {
		for _, each := range r.made {
			var err error
			if each.Kind == "queue" {
				_, err = channel.QueueDelete(each.Name, false, false, false)
			} else {
				err = channel.ExchangeDelete(each.Name, false, false)
			}
			must(err)
		}
	})
}
