"""The libraries that train: Unsloth where it imports, TRL and PEFT everywhere."""
