"""Everything that knows Shopify's shapes. It turns them into facts and takes news back out; it holds no rule of the program."""
