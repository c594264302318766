"""Reading what channels send. Pure: no ORM, no clock, no network. `registry.read` is the door."""
