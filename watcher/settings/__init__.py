"""Settings: files and environment in, frozen settings out, or all errors at once. Starts nothing."""
