"""FastStream with its RabbitMQ broker, on aio-pika's robust connection."""
