package main

import (
	"fmt"
	"net/http"
	"os"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const restartWithin = 40 * time.Second

// The library does not connect again by itself: this is the loop of its documentation, around NotifyClose.
func reconnect(r *run) {
	r.url = os.Getenv("INTEROP_RESTART_URL")
	queue := r.queue("queue")
	confirmed := map[string]bool{}
	seen := map[string]bool{}
	for round, how := range []string{"kill", "stop"} {
		session := newSession(r.url, queue)
		if round == 0 {
			_, err := session.channel.QueueDeclare(queue, true, false, false, false, nil)
			must(err)
		}
		held := consume(session.channel, queue, false)
		session.publish(queue, numbered(how+" before", 50), confirmed)
		// These are unacknowledged when the broker goes, the others ready.
		several(held, 10)
		restart(how)
		if gone := next(session.gone, "NotifyClose"); how == "stop" {
			isError(gone, amqp.ConnectionForced, "CONNECTION_FORCED")
		}
		closed(held, "the deliveries")

		again := newSession(r.url, queue)
		deliveries := consume(again.channel, queue, false)
		again.publish(queue, numbered(how+" after", 50), confirmed)
		for len(seen) < len(confirmed) {
			message := next(deliveries, fmt.Sprintf("%d confirmed messages, of which %d came", len(confirmed), len(seen)))
			expect(confirmed[string(message.Body)], "nobody published %q", message.Body)
			seen[string(message.Body)] = true
			must(message.Ack(false))
		}
		must(again.connection.Close())
	}
	last := newSession(r.url, queue)
	defer last.connection.Close()
	count, err := last.channel.QueueDelete(queue, false, false, false)
	must(err)
	equal(count, 0, "messages left")
}

type session struct {
	connection *amqp.Connection
	channel    *amqp.Channel
	confirms   <-chan amqp.Confirmation
	gone       chan *amqp.Error
}

// newSession dials until the broker is there.
func newSession(url, queue string) session {
	ends := time.Now().Add(waitFor)
	for {
		connection, err := amqp.Dial(url)
		if err == nil {
			channel := channelOf(connection)
			must(channel.Qos(10, 0, false))
			return session{connection, channel, confirming(channel), connection.NotifyClose(make(chan *amqp.Error, 1))}
		}
		expect(time.Now().Before(ends), "no connection within %s: %v", waitFor, err)
		time.Sleep(pollEvery)
	}
}

func (s session) publish(queue string, messages []string, confirmed map[string]bool) {
	for _, each := range messages {
		publish(s.channel, "", queue, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(each)})
	}
	for _, each := range messages {
		expect(next(s.confirms, "a confirm").Ack, "%q was not accepted", each)
		confirmed[each] = true
	}
}

// restart ends the broker and returns when it is back.
func restart(how string) {
	client := http.Client{Timeout: restartWithin}
	answer, err := client.Post(os.Getenv("INTEROP_CONTROL")+"/restart?how="+how, "", nil)
	must(err)
	defer answer.Body.Close()
	equal(answer.StatusCode, http.StatusNoContent, "the answer to the restart")
}
