# frozen_string_literal: true

# TLS, with a password and by certificate.

BODY_BYTES = 300_000

def secured(run, **options)
  folder = ENV.fetch("INTEROP_CERTIFICATES")
  paths = { tls_cert: "client.pem", tls_key: "client-key.pem" }.transform_values { |name| File.join(folder, name) }
  authorities = [File.join(folder, "ca.pem")]
  connection = connect(run, url: ENV.fetch("INTEROP_TLS_URL"), tls_ca_certificates: authorities, verify_peer: true, **paths, **options)
  expect(connection.tls?, "no TLS")
  queue = connection.create_channel.queue(run.queue)
  queue.publish("x" * BODY_BYTES)
  equal(taken(queue).body.bytesize, BODY_BYTES, "length of the body")
end

CLIENT.scenario("tls") { |run| secured(run) }

CLIENT.scenario("tls-external") { |run| secured(run, auth_mechanism: "EXTERNAL") }
