package main

import (
	"context"

	amqp "github.com/rabbitmq/amqp091-go"
)

// channelError: a channel that did something wrong goes, with a code; its connection and the other channels stay.
func channelError(r *run) {
	r.connected(func(connection *amqp.Connection) {
		bystander := channelOf(connection)
		queue := r.queue("queue")
		absent := r.queue("absent")
		_, err := bystander.QueueDeclare(queue, true, false, false, false, nil)
		must(err)
		for _, each := range []struct {
			code    int
			reason  string
			attempt func(*amqp.Channel) error
		}{
			{amqp.NotFound, "no queue '" + absent + "'", func(channel *amqp.Channel) error {
				_, err := channel.QueueDeclarePassive(absent, false, false, false, false, nil)
				return err
			}},
			{amqp.NotFound, "no exchange '" + absent + "'", func(channel *amqp.Channel) error {
				return channel.ExchangeDeclarePassive(absent, amqp.ExchangeDirect, false, false, false, false, nil)
			}},
			{amqp.NotFound, "no exchange '" + absent + "'", func(channel *amqp.Channel) error {
				return channel.QueueBind(queue, "", absent, false, nil)
			}},
			{amqp.PreconditionFailed, "inequivalent arg 'durable' for queue '" + queue + "'", func(channel *amqp.Channel) error {
				_, err := channel.QueueDeclare(queue, false, false, false, false, nil)
				return err
			}},
			{amqp.PreconditionFailed, "inequivalent arg 'x-message-ttl'", func(channel *amqp.Channel) error {
				_, err := channel.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-message-ttl": int32(1000)})
				return err
			}},
			{amqp.PreconditionFailed, "unknown delivery tag 9", func(channel *amqp.Channel) error {
				closing := channel.NotifyClose(make(chan *amqp.Error, 1))
				must(channel.Ack(9, false))
				return next(closing, "the error of the ack")
			}},
			{amqp.AccessRefused, "reserved prefix", func(channel *amqp.Channel) error {
				_, err := channel.QueueDeclare("amq.mine", false, false, false, false, nil)
				return err
			}},
			{amqp.NotFound, "no exchange '" + absent + "'", func(channel *amqp.Channel) error {
				// A publish has no answer: its error comes as an event.
				closing := channel.NotifyClose(make(chan *amqp.Error, 1))
				publish(channel, absent, "", amqp.Publishing{})
				return next(closing, "the error of the publish")
			}},
		} {
			channel := channelOf(connection)
			isError(each.attempt(channel), each.code, each.reason)
			until("the channel is closed", channel.IsClosed)
			err := channel.PublishWithContext(context.Background(), "", queue, false, false, amqp.Publishing{})
			equal(err, error(amqp.ErrClosed), "a publish on the closed channel")
			send(bystander, queue, "going on")
			equal(string(take(bystander, queue).Body), "going on", "body on the other channel")
		}
	})
}

// connectionError: what ends the whole connection, and what ends it before it is open.
func connectionError(r *run) {
	r.connected(func(connection *amqp.Connection) {
		gone := connection.NotifyClose(make(chan *amqp.Error, 1))
		channel := channelOf(connection)
		// The immediate flag is of the specification, and neither RabbitMQ nor Leveret has it.
		must(channel.PublishWithContext(context.Background(), "", r.queue("nowhere"), false, true, amqp.Publishing{}))
		isError(next(gone, "NotifyClose"), amqp.NotImplemented, "immediate=true")
		until("the channel is closed", channel.IsClosed)
		until("the connection is closed", connection.IsClosed)
	})
	place, err := amqp.ParseURI(r.url)
	must(err)
	wrong := &amqp.PlainAuth{Username: place.Username, Password: "wrong"}
	_, err = amqp.DialConfig(r.url, amqp.Config{SASL: []amqp.Authentication{wrong}})
	// The library does not look at what the broker says of a refused login.
	equal(err, error(amqp.ErrCredentials), "the error of a wrong password")
	_, err = amqp.DialConfig(r.url, amqp.Config{Vhost: "nowhere"})
	equal(err, error(amqp.ErrVhost), "the error of an unknown virtual host")
}

func exclusiveQueue(r *run) {
	r.connected(func(other *amqp.Connection) {
		queue := r.queue("queue")
		r.withChannel(func(owner *amqp.Channel) {
			_, err := owner.QueueDeclare(queue, false, false, true, false, nil)
			must(err)
			for _, attempt := range []func(*amqp.Channel) error{
				func(channel *amqp.Channel) error {
					_, err := channel.QueueDeclarePassive(queue, false, false, false, false, nil)
					return err
				},
				func(channel *amqp.Channel) error {
					_, err := channel.Consume(queue, "", true, false, false, false, nil)
					return err
				},
				func(channel *amqp.Channel) error {
					_, _, err := channel.Get(queue, true)
					return err
				},
				func(channel *amqp.Channel) error { return channel.QueueBind(queue, "", "amq.fanout", false, nil) },
			} {
				isError(attempt(channelOf(other)), amqp.ResourceLocked, "exclusive access to locked queue '"+queue+"'")
			}
		})
		// It is gone with its owner.
		_, err := channelOf(other).QueueDeclarePassive(queue, false, false, false, false, nil)
		isError(err, amqp.NotFound, "no queue '"+queue+"'")
	})
}

// channelComesBack is the client of the library's documentation: what it is told by NotifyClose of its channel makes it
// open another, declare again what it needs, and publish what was not confirmed.
func channelComesBack(r *run) {
	r.connected(func(connection *amqp.Connection) {
		channel := channelOf(connection)
		queue := r.declared(channel, "queue", nil)
		deliveries := consume(channel, queue, false)
		held := 0
		for attempt, body := range numbered("message", 3) {
			closing := channel.NotifyClose(make(chan *amqp.Error, 1))
			confirms := confirming(channel)
			send(channel, queue, body)
			expect(next(confirms, "the confirm").Ack, "%q was not accepted", body)
			got := bodies(several(deliveries, held+1))
			held++
			equal(got, numbered("message", held), "what was not acknowledged, in its order, and what is new")
			// Published behind the error, and lost with the channel: neither confirmed nor delivered.
			publish(channel, r.exchange("absent"), "", amqp.Publishing{})
			_ = channel.PublishWithContext(context.Background(), "", queue, false, false, amqp.Publishing{Body: []byte("lost")})
			isError(next(closing, "NotifyClose"), amqp.NotFound, "no exchange")
			equal(len(closed(deliveries, "the deliveries")), 0, "deliveries to a closed channel")
			equal(len(closed(confirms, "the confirms")), 0, "confirms on a closed channel")
			expect(!connection.IsClosed(), "attempt %d: the connection is closed", attempt)
			channel = channelOf(connection)
			deliveries = consume(channel, queue, false)
		}
		last := several(deliveries, held)
		must(last[held-1].Ack(true))
		equal(ready(channel, queue), 0, "messages left")
	})
}

// updateSecret renews a password or token while the connection goes on.
func updateSecret(r *run) {
	r.connected(func(connection *amqp.Connection) {
		channel := channelOf(connection)
		queue := r.declared(channel, "queue", nil)
		place, err := amqp.ParseURI(r.url)
		must(err)
		must(connection.UpdateSecret(place.Password, "it was about to expire"))
		send(channel, queue, "going on")
		equal(drained(channel, queue), []string{"going on"}, "bodies")
	})
}
