"""Everything that knows Klaviyo's shapes: connecting, sending, syncing, reviews. It never touches Shopify."""
