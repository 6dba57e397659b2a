"""A finished model behind an OpenAI-compatible address: which server, started how, for whom; and the built-in server itself."""
