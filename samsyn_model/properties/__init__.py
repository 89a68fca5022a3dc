"""Properties of features: a layer's schema, its roles, and values held to it."""
