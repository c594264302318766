"""Every message is a row first, can be read in the console as it was sent, and is sent once."""
