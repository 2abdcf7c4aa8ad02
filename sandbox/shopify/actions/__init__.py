"""What people do: merchants, shoppers and staff. Every function expects the world's lock to be held."""
