"""aio-pika, the asynchronous client on aiormq and pamqp."""
