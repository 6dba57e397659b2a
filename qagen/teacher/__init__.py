"""The teacher: a language model behind an endpoint, its ledger and its budget."""
