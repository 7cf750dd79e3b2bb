package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

func mainURL() string { return os.Getenv("INTEROP_URL") }

func declare(r *run) {
	r.connected(func(connection *amqp.Connection) {
		channel := channelOf(connection)
		name := r.queue("durable")
		arguments := amqp.Table{"x-max-length": int64(10), "x-message-ttl": int32(600_000)}
		exchanges := map[string]string{}
		for _, kind := range []string{amqp.ExchangeDirect, amqp.ExchangeFanout, amqp.ExchangeTopic, amqp.ExchangeHeaders} {
			exchanges[kind] = r.exchange(kind)
		}
		// The second time changes nothing.
		for time := 0; time < 2; time++ {
			queue, err := channel.QueueDeclare(name, true, false, false, false, arguments)
			must(err)
			equal(queue, amqp.Queue{Name: name}, "a declared queue")
			for kind, exchange := range exchanges {
				must(channel.ExchangeDeclare(exchange, kind, true, false, false, false, nil))
				must(channel.ExchangeDeclarePassive(exchange, kind, true, false, false, false, nil))
			}
		}
		wrong := channelOf(connection)
		_, err := wrong.QueueDeclare(name, true, false, false, false, amqp.Table{"x-max-length": int64(11), "x-message-ttl": int32(600_000)})
		isError(err, amqp.PreconditionFailed, "inequivalent arg 'x-max-length' for queue '"+name+"'")

		named, err := channel.QueueDeclare("", false, true, true, false, nil)
		must(err)
		expect(strings.HasPrefix(named.Name, "amq.gen-"), "a name of the broker's, got %q", named.Name)
		send(channel, named.Name, "one")
		send(channel, named.Name, "two")
		deliveries := consume(channel, named.Name, true)
		equal(bodies(several(deliveries, 2)), []string{"one", "two"}, "bodies")
		queue, err := channel.QueueDeclarePassive(named.Name, false, true, true, false, nil)
		must(err)
		equal(queue, amqp.Queue{Name: named.Name, Consumers: 1}, "a queue with a consumer")

		for _, exchange := range exchanges {
			must(channel.ExchangeDelete(exchange, true, false))
		}
		send(channel, name, "left")
		until("the message is in the queue", func() bool { return ready(channel, name) == 1 })
		_, err = channelOf(connection).QueueDelete(name, false, true, false)
		isError(err, amqp.PreconditionFailed, "not empty")
		count, err := channel.QueueDelete(name, false, false, false)
		must(err)
		equal(count, 1, "messages in the deleted queue")
		_, err = channelOf(connection).QueueDeclarePassive(name, false, false, false, false, nil)
		isError(err, amqp.NotFound, "no queue '"+name+"'")
		expect(!connection.IsClosed() && !channel.IsClosed(), "the errors went beyond their channels")
	})
}

func bind(r *run) {
	r.withChannel(func(channel *amqp.Channel) {
		queue := r.declared(channel, "queue", nil)
		exchange := func(kind string) string {
			name := r.exchange(kind)
			must(channel.ExchangeDeclare(name, kind, false, false, false, false, nil))
			return name
		}
		direct, fanout, topic, headers := exchange("direct"), exchange("fanout"), exchange("topic"), exchange("headers")
		must(channel.QueueBind(queue, "key", direct, false, nil))
		must(channel.QueueBind(queue, "", fanout, false, nil))
		must(channel.QueueBind(queue, "*.orange.#", topic, false, nil))
		must(channel.QueueBind(queue, "", headers, false, amqp.Table{"x-match": "all", "format": "pdf", "pages": int32(3)}))
		// Through another exchange, too.
		must(channel.ExchangeBind(direct, "through", topic, false, nil))
		must(channel.QueueBind(queue, "through", direct, false, nil))

		publishAll := func() []string {
			to := func(exchange, key, body string, table amqp.Table) {
				publish(channel, exchange, key, amqp.Publishing{Body: []byte(body), Headers: table})
			}
			to(direct, "key", "direct", nil)
			to(direct, "other", "lost", nil)
			to(fanout, "anything", "fanout", nil)
			to(topic, "quick.orange.fox.fast", "topic", nil)
			to(topic, "orange", "lost", nil)
			to(topic, "through", "through", nil)
			to(headers, "", "headers", amqp.Table{"format": "pdf", "pages": int32(3), "more": true})
			to(headers, "", "lost", amqp.Table{"format": "pdf"})
			to("", queue, "end", nil)
			until("the last message", func() bool { return ready(channel, queue) > 0 })
			return drained(channel, queue)
		}
		equal(publishAll(), []string{"direct", "fanout", "topic", "through", "headers", "end"}, "routed")
		must(channel.QueueUnbind(queue, "key", direct, nil))
		must(channel.QueueUnbind(queue, "", headers, amqp.Table{"x-match": "all", "format": "pdf", "pages": int32(3)}))
		must(channel.ExchangeUnbind(direct, "through", topic, false, nil))
		equal(publishAll(), []string{"fanout", "topic", "end"}, "routed after the unbinds")
	})
}

func confirmedPublish(r *run) {
	r.withChannel(func(channel *amqp.Channel) {
		name := r.queue("queue")
		_, err := channel.QueueDeclare(name, true, false, false, false, nil)
		must(err)
		confirms := confirming(channel)
		const count = 500
		for number := 0; number < count; number++ {
			mode := []uint8{amqp.Transient, amqp.Persistent}[number%2]
			publish(channel, "", name, amqp.Publishing{DeliveryMode: mode, Body: []byte(fmt.Sprint(number))})
		}
		// The library gives them in the order of the publishes, whatever the broker's was.
		for number := uint64(1); number <= count; number++ {
			equal(next(confirms, "a confirm"), amqp.Confirmation{DeliveryTag: number, Ack: true}, "confirm")
		}
		equal(ready(channel, name), count, "messages")

		full := r.declared(channel, "full", amqp.Table{"x-max-length": int32(1), "x-overflow": "reject-publish"})
		for number, accepted := range []bool{true, false, false} {
			send(channel, full, fmt.Sprint(number))
			equal(next(confirms, "a confirm").Ack, accepted, fmt.Sprintf("message %d was accepted", number))
		}
	})
}

func consumeAckPrefetch(r *run) {
	r.connected(func(connection *amqp.Connection) {
		channel := channelOf(connection)
		queue := r.declared(channel, "queue", nil)
		messages := numbered("message", 10)
		for _, each := range messages {
			send(channel, queue, each)
		}
		must(channel.Qos(2, 0, false))
		deliveries := consume(channel, queue, false)
		held := several(deliveries, 2)
		equal(bodies(held), messages[:2], "the first two")
		// No more than two are on their way: the others are ready.
		equal(ready(channel, queue), 8, "ready messages")
		must(held[1].Ack(true))
		held = several(deliveries, 2)
		equal(bodies(held), messages[2:4], "the next two")
		equal(ready(channel, queue), 6, "ready messages")
		must(held[0].Ack(false))
		equal(bodies(several(deliveries, 1)), messages[4:5], "the next one")
		equal(ready(channel, queue), 5, "ready messages")
		must(channel.Close())
		equal(len(closed(deliveries, "the deliveries")), 0, "deliveries without a message")

		again := channelOf(connection)
		must(again.Qos(2, 0, false))
		deliveries = consume(again, queue, false)
		for number, body := range messages[3:] {
			message := next(deliveries, body)
			got := []any{string(message.Body), message.Redelivered, message.ConsumerTag != "", message.Exchange, message.RoutingKey}
			equal(got, []any{body, number < 2, true, "", queue}, "a delivery")
			must(message.Ack(false))
		}
		equal(ready(again, queue), 0, "ready messages")
	})
}

func returned(r *run) {
	r.withChannel(func(channel *amqp.Channel) {
		queue := r.declared(channel, "queue", nil)
		nowhere := r.queue("nowhere")
		must(channel.Confirm(false))
		// Neither has room, so the library cannot go past one that is not taken: their order is the broker's.
		returns := channel.NotifyReturn(make(chan amqp.Return))
		confirms := channel.NotifyPublish(make(chan amqp.Confirmation))
		for _, each := range []struct {
			key       string
			mandatory bool
		}{{queue, true}, {nowhere, false}, {nowhere, true}} {
			message := amqp.Publishing{Body: []byte("body"), MessageId: "id", Headers: amqp.Table{"header": "kept"}}
			must(channel.PublishWithContext(context.Background(), "", each.key, each.mandatory, false, message))
			if each.mandatory && each.key == nowhere {
				select {
				case back := <-returns:
					got := []any{back.ReplyCode, back.ReplyText, back.Exchange, back.RoutingKey, string(back.Body), back.MessageId, back.Headers}
					wanted := []any{uint16(312), "NO_ROUTE", "", nowhere, "body", "id", amqp.Table{"header": "kept"}}
					equal(got, wanted, "the return")
				case <-confirms:
					panic("the confirm came before the return")
				}
			}
			expect(next(confirms, "a confirm").Ack, "the message to %s was not accepted", each.key)
		}
		equal(drained(channel, queue), []string{"body"}, "messages that were routed")
	})
}

func get(r *run) {
	r.withChannel(func(channel *amqp.Channel) {
		queue := r.declared(channel, "queue", nil)
		_, there, err := channel.Get(queue, false)
		must(err)
		expect(!there, "an empty queue gave a message")
		send(channel, queue, "first")
		send(channel, queue, "second")
		message, _, err := channel.Get(queue, false)
		must(err)
		equal([]any{string(message.Body), message.MessageCount, message.Redelivered, message.RoutingKey}, []any{"first", uint32(1), false, queue}, "first")
		must(message.Reject(true))
		message, _, err = channel.Get(queue, false)
		must(err)
		equal([]any{string(message.Body), message.MessageCount, message.Redelivered}, []any{"first", uint32(1), true}, "first again")
		must(message.Ack(false))
		count, err := channel.QueuePurge(queue, false)
		must(err)
		equal(count, 1, "purged messages")
		equal(drained(channel, queue), []string{}, "messages after the purge")
	})
}

func rpcReplyTo(r *run) {
	const replyTo = "amq.rabbitmq.reply-to"
	r.withChannel(func(server *amqp.Channel) {
		r.withChannel(func(client *amqp.Channel) {
			queue := r.declared(server, "rpc_queue", nil)
			requests := consume(server, queue, false)
			replies := consume(client, replyTo, true)
			wanted := map[string]string{}
			for number := 0; number < 3; number++ {
				id, body := fmt.Sprintf("call %d", number), fmt.Sprintf("question %d", number)
				publish(client, "", queue, amqp.Publishing{ReplyTo: replyTo, CorrelationId: id, Body: []byte(body)})
				wanted[id] = "answer to " + body
			}
			for _, request := range several(requests, len(wanted)) {
				expect(strings.HasPrefix(request.ReplyTo, replyTo+"."), "an address of the broker's, got %q", request.ReplyTo)
				answer := amqp.Publishing{CorrelationId: request.CorrelationId, Body: append([]byte("answer to "), request.Body...)}
				publish(server, "", request.ReplyTo, answer)
				must(request.Ack(false))
			}
			got := map[string]string{}
			for _, reply := range several(replies, len(wanted)) {
				got[reply.CorrelationId] = string(reply.Body)
			}
			equal(got, wanted, "the replies")
			// Only who consumes from it may name it.
			closing := server.NotifyClose(make(chan *amqp.Error, 1))
			publish(server, "", queue, amqp.Publishing{ReplyTo: replyTo})
			isError(next(closing, "the error"), amqp.PreconditionFailed, "fast reply consumer does not exist")
		})
	})
}

func ttlDeadLetter(r *run) {
	r.withChannel(func(channel *amqp.Channel) {
		exchange := r.exchange("dead")
		must(channel.ExchangeDeclare(exchange, amqp.ExchangeDirect, false, false, false, false, nil))
		dead := r.declared(channel, "dead", nil)
		must(channel.QueueBind(dead, "gone", exchange, false, nil))
		to := func(arguments amqp.Table) amqp.Table {
			arguments["x-dead-letter-exchange"], arguments["x-dead-letter-routing-key"] = exchange, "gone"
			return arguments
		}
		brief := r.declared(channel, "brief", to(amqp.Table{"x-message-ttl": int32(50)}))
		kept := r.declared(channel, "kept", to(amqp.Table{"x-max-length": int32(1)}))

		died := func(queue, reason, expiration string) {
			message := taken(channel, dead)
			equal(string(message.Body), reason, "body")
			deaths, is := message.Headers["x-death"].([]any)
			expect(is && len(deaths) == 1, "one death, got %#v", message.Headers["x-death"])
			death := deaths[0].(amqp.Table)
			got := []any{death["queue"], death["reason"], death["count"], death["exchange"], death["routing-keys"]}
			equal(got, []any{queue, reason, int64(1), "", []any{queue}}, "the death")
			equal(message.Headers["x-first-death-queue"], queue, "x-first-death-queue")
			equal(message.Headers["x-first-death-reason"], reason, "x-first-death-reason")
			if expiration != "" {
				equal(death["original-expiration"], expiration, "original-expiration")
			}
			equal(message.Expiration, "", "the expiration of a dead letter")
		}
		send(channel, brief, "expired")
		died(brief, "expired", "")
		publish(channel, "", kept, amqp.Publishing{Body: []byte("expired"), Expiration: "50"})
		died(kept, "expired", "50")
		send(channel, kept, "rejected")
		message, there, err := channel.Get(kept, false)
		must(err)
		expect(there, "the queue is empty")
		must(message.Reject(false))
		died(kept, "rejected", "")
		send(channel, kept, "maxlen")
		send(channel, kept, "last")
		died(kept, "maxlen", "")
	})
}
