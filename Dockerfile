# SamSyn in one image: `samsyn serve`, `worker`, `live`, `tiler` and `db upgrade` are its commands.
# scripts/build-image builds it with Docker, Podman or buildah; docs/deploying.md describes its use.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
# what uv takes from the system: the certificates and the Python
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /app
COPY scripts/uv.txt /build/
RUN python3 -m venv /build/uv \
    && /build/uv/bin/pip install --no-cache-dir --require-hashes --requirement /build/uv.txt
COPY pyproject.toml uv.lock README.md ./
# A package of links to /app: the code finds migrations/ and openapi/ beside it. So this layer
# changes with the lock file, not with the code.
RUN export PATH="/build/uv/bin:$PATH" \
    && python="$(command -v python3)" \
    && UV_PROJECT_ENVIRONMENT=/opt/samsyn uv sync --frozen --no-dev --extra tracing --no-install-project \
        --python "$python" \
    && UV_PROJECT_ENVIRONMENT=/build/hatch uv sync --frozen --only-group build \
        --no-install-project --python "$python" \
    && mkdir samsyn_model samsyn_provider samsyn_admin \
    && touch samsyn_model/__init__.py samsyn_provider/__init__.py samsyn_admin/__init__.py \
    && /build/hatch/bin/python -c "import hatchling.build as build; build.build_editable('/build')" \
    && uv pip install --python /opt/samsyn/bin/python --no-deps --offline /build/*.whl
COPY demo demo
COPY migrations migrations
COPY openapi/*.yaml openapi/*.json openapi/
COPY pygeoapi-config.yml ./
COPY samsyn_model samsyn_model
COPY samsyn_provider samsyn_provider
COPY samsyn_admin samsyn_admin
RUN /opt/samsyn/bin/python -m compileall -q samsyn_model samsyn_provider samsyn_admin migrations

FROM ${BASE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="SamSyn" \
    org.opencontainers.image.description="Collaborative marine spatial planning: layers of the sea as OGC API collections" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
# a number, so that an orchestrator sees that it is not root's
RUN groupadd --gid 10001 samsyn \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /app --shell /usr/sbin/nologin samsyn \
    && install --directory --owner=10001 --group=10001 /var/lib/samsyn /run/samsyn
COPY --from=build /opt/samsyn /opt/samsyn
COPY --from=build /app /app
ENV PATH=/opt/samsyn/bin:$PATH \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    STORAGE_DIR=/var/lib/samsyn \
    DATABASE_WAIT=60
WORKDIR /app
USER 10001:10001
# all that is written: files, the socket of `samsyn live`, what is temporary
VOLUME ["/var/lib/samsyn", "/run/samsyn", "/tmp"]
EXPOSE 8000
# samsyn serve ends with the last request; docker stop waits 10 s, the server up to STOP_TIMEOUT
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=90s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('PORT', '8000') + '/api/health/live', timeout=4)"]
ENTRYPOINT ["samsyn"]
CMD ["serve"]
