"""What a process of ours stands on: the embedded queue server, a PostgreSQL for tests, the schema, checked addresses.

It knows no points and no members, and nothing in it runs at import.
"""
