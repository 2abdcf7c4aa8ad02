"""How long tests wait for what has to come. A crowded machine is slow, and a quick one waits for none of it."""

# A silent message waits for twenty seconds by itself, and for the sweep after it.
SECONDS = 90.0
PAGES_MS = 60_000
