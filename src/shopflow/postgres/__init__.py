"""PostgreSQL: the embedded server, connections, transactions and named queries."""
