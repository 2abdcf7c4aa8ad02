"""The loyalty program itself: members, points, rewards, and what is told to whom. Knows no web framework, no HTTP and no Redis."""
