"""What is owed to the outside world, and its delivery.

A row is written in the transaction of the act that owes it; a worker delivers it afterwards, once in effect.
"""
