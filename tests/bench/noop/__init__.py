"""An app of the benchmark alone: a row like a booking, and six effects that do nothing but leave a line in a log."""
