"""py-amqp, the client beneath kombu. It logs in with AMQPLAIN."""
