"""What happened in the shop, told to others: outbox, consumers, webhooks and the worker."""
