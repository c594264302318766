"""The console's pages of the crew side."""

from crew.admin import links, roster, setup, trips

__all__ = ["links", "roster", "setup", "trips"]
