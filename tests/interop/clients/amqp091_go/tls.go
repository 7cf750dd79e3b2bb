package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"

	amqp "github.com/rabbitmq/amqp091-go"
)

func overTLS(r *run) {
	r.secured(false)
}

// external logs in by the certificate alone.
func external(r *run) {
	r.secured(true)
}

func (r *run) secured(external bool) {
	folder := os.Getenv("INTEROP_CERTIFICATES")
	authority, err := os.ReadFile(filepath.Join(folder, "ca.pem"))
	must(err)
	configuration := &tls.Config{RootCAs: x509.NewCertPool()}
	expect(configuration.RootCAs.AppendCertsFromPEM(authority), "the authority's certificate cannot be read")
	dial := amqp.DialTLS
	if external {
		own, err := tls.LoadX509KeyPair(filepath.Join(folder, "client.pem"), filepath.Join(folder, "client-key.pem"))
		must(err)
		configuration.Certificates = []tls.Certificate{own}
		dial = amqp.DialTLS_ExternalAuth
	}
	connection, err := dial(os.Getenv("INTEROP_TLS_URL"), configuration)
	must(err)
	defer connection.Close()
	expect(connection.ConnectionState().HandshakeComplete, "no TLS")
	channel := channelOf(connection)
	queue := r.declared(channel, "queue", nil)
	body := make([]byte, 300_000)
	publish(channel, "", queue, amqp.Publishing{Body: body})
	equal(len(taken(channel, queue).Body), len(body), "length of the body")
}
