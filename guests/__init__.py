"""What the guest sees: the page at /g/CODE on the public brand, its calendar file and the mails that name it."""
