"""Who may do what: each rule as one SQL expression, to check and to list."""
