"""What pages may read: one module per page, each answering with frozen values. Nothing here writes, locks or decides."""
