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
	_, err := amqp.DialConfig(r.url, amqp.Config{SASL: []amqp.Authentication{&amqp.PlainAuth{Username: "guest", Password: "wrong"}}})
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
