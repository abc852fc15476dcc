"""What a finished run says: one summary that pages, tables, differences and gates are made from."""
