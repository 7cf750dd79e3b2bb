"""Dramatiq with its RabbitMQ broker: actors in a real worker process."""
