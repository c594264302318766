"""The truth about trips: vessels, bookings, holds and the calendar. Knows neither crew nor guests, and no money."""
