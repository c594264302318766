"""A season of bookings in a minute, while everything that can break breaks: `python -m tests.faults.chaos --seed 7`.

- `machine`: throwaway PostgreSQL and Redis, on ports of their own;
- `company`: the processes of the product, hastened so that a lease is seconds;
- `season`: what clients do, and what they do when they get no answer;
- `monkey`: what breaks, by the seed;
- `judge`: what the ledger and the database say of it.
"""
