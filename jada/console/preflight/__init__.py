"""Preflight: does the configuration that runs do what the application needs. Looks at AWS and at this machine, changes
nothing, and says of each finding what is wrong and which command mends it.
"""
