"""Composition: the ops console. May import every app; no app imports it."""
