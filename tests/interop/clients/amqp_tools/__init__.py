"""The C tools of librabbitmq: amqp-publish, amqp-get, amqp-consume, amqp-declare-queue, amqp-delete-queue."""
