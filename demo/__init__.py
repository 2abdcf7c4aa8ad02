"""``flask demo``: the whole program on one machine, played over real HTTP by the people it is for.

It knows the app by its addresses and commands only, as everybody outside does, and brings no part of it into its own process.
"""
