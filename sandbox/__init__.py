"""A local Shopify and a local Klaviyo to develop, show and test against.

Nothing in here imports the application, and the application imports nothing from here.
"""
