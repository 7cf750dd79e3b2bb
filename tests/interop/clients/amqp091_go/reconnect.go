package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const restartWithin = 180 * time.Second

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
func restart(how string) { control("/restart?how=" + how) }

func control(what string) {
	client := http.Client{Timeout: restartWithin}
	answer, err := client.Post(os.Getenv("INTEROP_CONTROL")+what, "", nil)
	must(err)
	defer answer.Body.Close()
	equal(answer.StatusCode, http.StatusNoContent, "the answer to "+what)
}

// blocked: who publishes during an alarm is told, and what it sends is confirmed afterwards; who consumes goes on.
func blocked(r *run) {
	r.url = os.Getenv("INTEROP_RESTART_URL")
	r.connected(func(connection *amqp.Connection) {
		channel := channelOf(connection)
		confirms := confirming(channel)
		notices := connection.NotifyBlocked(make(chan amqp.Blocking, 10))
		queue := r.declared(channel, "queue", nil)
		r.withChannel(func(consumer *amqp.Channel) {
			send(channel, queue, "before")
			sent := 1
			expect(next(confirms, "the confirm").Ack, "not accepted")
			control("/alarm?is=set")
			until("the notice that publishers are blocked", func() bool {
				send(channel, queue, fmt.Sprint(sent))
				sent++
				return len(notices) > 0
			})
			notice := next(notices, "the notice")
			expect(notice.Active && strings.Contains(notice.Reason, "disk"), "blocked because of the disk, got %v", notice)
			equal(string(taken(consumer, queue).Body), "before", "what is consumed meanwhile")
			send(channel, queue, "last")
			sent++
			control("/alarm?is=clear")
			equal(next(notices, "the notice that they are not"), amqp.Blocking{}, "the notice")
			for confirmed := 1; confirmed < sent; confirmed++ {
				expect(next(confirms, "the confirm").Ack, "not accepted")
			}
			equal(ready(consumer, queue), sent-1, "messages")
		})
		_, err := channel.QueueDelete(queue, false, false, false)
		must(err)
	})
}
