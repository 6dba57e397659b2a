"""Training itself: one stage after another, each resumable."""
