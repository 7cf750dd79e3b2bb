"""pika, the client of the tutorials, with its blocking connection."""
