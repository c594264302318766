"""Who did what, when: one row per act, written by the service that acts, in its transaction."""
