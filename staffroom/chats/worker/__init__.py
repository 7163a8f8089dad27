"""What the worker process does with turns: claim, think, say, store. See `docs/turns.md`."""
