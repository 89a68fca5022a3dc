"""The arrangement of docker-compose.prod.yml as processes of this machine, under many clients."""
