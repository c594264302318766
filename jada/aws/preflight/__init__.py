"""Looks at what is deployed, call by call, and changes nothing. One module a service; `checks` has them all."""
