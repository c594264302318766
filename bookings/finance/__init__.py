"""The only place that knows money: gross, fees, payout, pay, margin. Points at bookings by plain id."""
