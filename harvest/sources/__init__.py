"""What exists: each source lists the papers that it can give, and fetches them one by one."""
