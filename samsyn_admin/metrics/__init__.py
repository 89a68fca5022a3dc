"""The companion that answers Prometheus: what all processes of a server have counted."""
