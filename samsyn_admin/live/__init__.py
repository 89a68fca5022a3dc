"""Server-sent events of layers and maps: admitted by a worker, sent by a companion process."""
