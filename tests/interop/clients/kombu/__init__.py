"""kombu, the messaging library of Celery, over py-amqp."""
