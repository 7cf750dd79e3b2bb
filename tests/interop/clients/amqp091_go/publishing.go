package main

import (
	"crypto/sha256"
	"fmt"
	"math/rand"
	"net/url"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	// The largest body that is accepted.
	messageBytesMax = 16 * 1024 * 1024
	channelCount    = 1000
)

func message16mb(r *run) {
	r.withChannel(func(channel *amqp.Channel) {
		queue := r.declared(channel, "queue", nil)
		body := make([]byte, messageBytesMax)
		rand.New(rand.NewSource(20)).Read(body)
		confirms := confirming(channel)
		send(channel, queue, string(body))
		expect(next(confirms, "the confirm").Ack, "the large message was not accepted")
		deliveries := consume(channel, queue, true)
		message := next(deliveries, "the large message")
		equal(len(message.Body), len(body), "its length")
		equal(sha256.Sum256(message.Body), sha256.Sum256(body), "its digest")
		send(channel, queue, "")
		equal(len(next(deliveries, "the empty message").Body), 0, "length of an empty body")
	})
}

func channels1000(r *run) {
	r.connected(func(connection *amqp.Connection) {
		channels := []*amqp.Channel{}
		for len(channels) < channelCount {
			channels = append(channels, channelOf(connection))
		}
		queue := r.declared(channels[0], "queue", nil)
		held := make(chan amqp.Delivery, channelCount)
		for _, each := range channels {
			must(each.Qos(1, 0, false))
			deliveries := consume(each, queue, false)
			go func() {
				for message := range deliveries {
					held <- message
				}
			}()
		}
		for number, each := range channels {
			send(each, queue, fmt.Sprint(number))
		}
		distinct := map[string]bool{}
		acknowledgers := map[amqp.Acknowledger]bool{}
		for _, each := range several(held, channelCount) {
			distinct[string(each.Body)] = true
			acknowledgers[each.Acknowledger] = true
			must(each.Ack(false))
		}
		equal([]int{len(distinct), len(acknowledgers)}, []int{channelCount, channelCount}, "messages, and channels that had one")
		for _, each := range channels {
			must(each.Close())
		}
	})
}

func transaction(r *run) {
	r.withChannel(func(channel *amqp.Channel) {
		r.withChannel(func(witness *amqp.Channel) {
			queue := r.declared(witness, "queue", nil)
			must(channel.Tx())
			send(channel, queue, "rolled back")
			must(channel.TxRollback())
			send(channel, queue, "committed")
			equal(ready(channel, queue), 0, "messages before the commit")
			must(channel.TxCommit())
			equal(ready(witness, queue), 1, "messages after the commit")

			message, _, err := channel.Get(queue, false)
			must(err)
			equal(string(message.Body), "committed", "body")
			// An acknowledgement that is rolled back leaves the message with the channel.
			must(message.Ack(false))
			must(channel.TxRollback())
			must(channel.Recover(true))
			equal(ready(channel, queue), 1, "messages after the recover")
			message, _, err = channel.Get(queue, false)
			must(err)
			expect(message.Redelivered, "the message was not marked as redelivered")
			must(message.Ack(false))
			must(channel.TxCommit())
			must(channel.Close())
			equal(ready(witness, queue), 0, "messages after the acknowledgement")
		})
	})
}

func properties(r *run) {
	r.withChannel(func(channel *amqp.Channel) {
		queue := r.declared(channel, "queue", nil)
		at := time.Unix(1700000000, 0)
		place, err := url.Parse(r.url)
		must(err)
		headers := amqp.Table{
			"text": "grüße", "empty": "", "yes": true, "no": false,
			"unsigned byte": byte(200), "byte": int8(-5), "short": int16(-300), "int": int32(-70000), "long": int64(1) << 40,
			"float": float32(0.5), "double": 1.1, "decimal": amqp.Decimal{Scale: 2, Value: 1234},
			"moment": at, "nothing": nil, "bytes": []byte{0, 255},
			"list": []any{"a", int32(1), []any{true, nil, []byte{1}}, amqp.Table{"deeper": []any{"bottom"}}}, "empty list": []any(nil),
			"table": amqp.Table{"inner": amqp.Table{"innermost": amqp.Table{"number": int64(1)}}, "empty": amqp.Table{}},
		}
		sent := amqp.Publishing{
			Headers: headers, ContentType: "application/json", ContentEncoding: "utf-8", DeliveryMode: amqp.Persistent,
			Priority: 9, CorrelationId: "correlation", ReplyTo: "reply", Expiration: "600000", MessageId: "message",
			Timestamp: at, Type: "type", UserId: place.User.Username(), AppId: "application", Body: []byte("{}"),
		}
		publish(channel, "", queue, sent)
		got := take(channel, queue)
		for name, value := range headers {
			equal(got.Headers[name], value, "header "+name)
		}
		equal(len(got.Headers), len(headers), "headers")
		equal(amqp.Publishing{
			Headers: headers, ContentType: got.ContentType, ContentEncoding: got.ContentEncoding, DeliveryMode: got.DeliveryMode,
			Priority: got.Priority, CorrelationId: got.CorrelationId, ReplyTo: got.ReplyTo, Expiration: got.Expiration,
			MessageId: got.MessageId, Timestamp: got.Timestamp, Type: got.Type, UserId: got.UserId, AppId: got.AppId, Body: got.Body,
		}, sent, "properties")
	})
}

// manyPublishers has several goroutines that publish on channels of one connection.
func manyPublishers(r *run) {
	const publishers, each = 8, 200
	r.connected(func(connection *amqp.Connection) {
		channel := channelOf(connection)
		queue := r.declared(channel, "queue", nil)
		deliveries := consume(channel, queue, true)
		failures := make(chan string, publishers)
		var running sync.WaitGroup
		for publisher := 0; publisher < publishers; publisher++ {
			messages := numbered(fmt.Sprintf("publisher %d", publisher), each)
			running.Add(1)
			go func() {
				defer running.Done()
				failures <- failure(func() { publishConfirmed(channelOf(connection), queue, messages) })
			}()
		}
		last := map[string]int{}
		for _, message := range several(deliveries, publishers*each) {
			var publisher, number int
			_, err := fmt.Sscanf(string(message.Body), "publisher %d %d", &publisher, &number)
			must(err)
			name := fmt.Sprint(publisher)
			equal(number, last[name], "the next message of publisher "+name)
			last[name]++
		}
		running.Wait()
		close(failures)
		for problem := range failures {
			equal(problem, "", "failure of a publisher")
		}
	})
}

func publishConfirmed(channel *amqp.Channel, queue string, messages []string) {
	confirms := confirming(channel)
	for _, each := range messages {
		send(channel, queue, each)
		expect(next(confirms, "the confirm").Ack, "%q was not accepted", each)
	}
	must(channel.Close())
}

// noWait sends methods that have no answer: what follows them must find them done.
func noWait(r *run) {
	r.withChannel(func(channel *amqp.Channel) {
		queue, exchange := r.queue("queue"), r.exchange("exchange")
		_, err := channel.QueueDeclare(queue, false, false, false, true, nil)
		must(err)
		must(channel.ExchangeDeclare(exchange, amqp.ExchangeTopic, false, false, false, true, nil))
		must(channel.QueueBind(queue, "#", exchange, true, nil))
		// The library waits for the answer to confirm.select, whatever it has asked for.
		confirms := confirming(channel)
		deliveries, err := channel.Consume(queue, "mine", true, false, false, true, nil)
		must(err)
		publish(channel, exchange, "any", amqp.Publishing{Body: []byte("body")})
		expect(next(confirms, "the confirm").Ack, "the message was not accepted")
		equal(string(next(deliveries, "the message").Body), "body", "body")
		must(channel.Cancel("mine", true))
		send(channel, queue, "purged")
		expect(next(confirms, "the confirm").Ack, "the message was not accepted")
		_, err = channel.QueuePurge(queue, true)
		must(err)
		equal(ready(channel, queue), 0, "messages after the purge")
		_, err = channel.QueueDelete(queue, false, false, true)
		must(err)
		must(channel.ExchangeDelete(exchange, false, true))
		_, err = channel.QueueDeclarePassive(queue, false, false, false, false, nil)
		isError(err, amqp.NotFound, "no queue '"+queue+"'")
	})
}
