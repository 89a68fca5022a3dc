"""What happened to a layer, a map, all that is public: `/api/v1/…/activity`, `/api/v1/audit`."""
