"""Celery: an application and real worker processes, with results over rpc://."""
