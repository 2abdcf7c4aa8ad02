"""Measures Laurel against its budget and against its peers, on this machine and over loopback only. See README.md beside this file.

It is never a test: it says how fast something was, and nothing passes or fails by it.
"""
