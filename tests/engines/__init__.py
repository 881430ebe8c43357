"""The three set-ups that carry tickets: the database's queue on SQLite and on PostgreSQL, and Celery on RabbitMQ."""
