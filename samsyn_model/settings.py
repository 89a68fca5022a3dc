"""Settings: the environment variables that SamSyn reads, typed and checked at start."""

import re
from email.utils import getaddresses
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from samsyn_model.log import LogFormat

CHECKOUT = Path(__file__).resolve().parent.parent
_SECRETS = Path("/run/secrets")  # where Docker, Podman and Kubernetes put files with secrets
MAX_PER_MINUTE = 1_000_000
"""The largest allowance of a rate."""


class Settings(BaseSettings):
    """Values of the environment, of a `.env` file in the checkout, or of files of secrets, one a
    setting; `docs/operating.md` lists all.

    Raises pydantic.ValidationError when a value is malformed.
    """

    model_config = SettingsConfigDict(
        env_file=CHECKOUT / ".env",
        env_ignore_empty=True,
        secrets_dir=_SECRETS if _SECRETS.is_dir() else None,
        extra="ignore",
        frozen=True,
    )

    database_url: str | None = None
    """PostgreSQL with PostGIS; when absent the checkout's private cluster is used."""
    direct_database_url: str | None = None
    """The same database past a pooler in `database_url`: for commands, jobs and events."""
    read_database_url: str | None = None
    """A replica of that database, by streaming replication: one server, that reads are made on."""
    read_database_max_lag: int = Field(default=5, ge=1, le=300)
    """Seconds that a replica may be behind; then the primary is read."""
    database_wait: int = Field(default=0, ge=0, le=3600)
    """Seconds for which a command waits for that database before it begins."""
    public_url: str | None = None
    """Address that clients use, without a trailing slash; links are made from it."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Hosts that requests may name; by default that of `public_url`, or all."""
    frontend_url: str | None = None
    """Origin of the web frontend."""
    trusted_proxies: int = Field(default=0, ge=0, le=10)
    """How many proxies in front set X-Forwarded-* headers; 0: the headers have no effect."""

    clerk_publishable_key: str | None = None
    clerk_secret_key: SecretStr | None = None
    """Clerk's backend API is asked for users without a name or an email, and deletes accounts."""
    clerk_api_url: str = "https://api.clerk.com"
    """Address of Clerk's backend API, without the version."""
    clerk_webhook_secret: SecretStr | None = None
    clerk_jwt_key: str | None = None
    """PEM public key: sessions are verified without requests to Clerk."""
    clerk_jwks_url: str | None = None
    clerk_issuer: str | None = None
    clerk_authorized_parties: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins that sessions may come from; any where none is named."""
    clerk_azp_required: bool = True
    """Whether, where authorized parties are set, a session without the claim `azp` is refused."""

    smtp_host: str | None = None
    """The mail server that digests are sent by; without one there are none by e-mail."""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_tls: Literal["starttls", "tls", "off"] = "starttls"
    """How the connection is encrypted: once it has begun, from its beginning (port 465), not."""
    mail_from: str | None = Field(default=None, validate_default=True)
    """The sender of mail: an address, with or without a name."""

    outgoing: bool = True
    """Whether the server asks other servers for its users: their WMS, for example."""
    outgoing_allow: Annotated[tuple[str, ...], NoDecode] = ()
    """Servers, `host:port`, that may be asked although they are not public."""

    gfw_api_token: SecretStr | None = None
    """The token of Global Fishing Watch, for its tiles."""
    gfw_api_url: str = "https://gateway.api.globalfishingwatch.org"
    gfw_daily_calls: int = Field(default=50_000, ge=0)
    """Requests to it a day, of all workers."""

    titiler_url: str | None = None
    """Address of a raster tiler (`samsyn tiler`); by default `samsyn serve` starts one, `off`:
    none."""
    titiler_secret: SecretStr | None = None
    """What requests to a raster tiler elsewhere are signed with; it has to have the same."""
    live_socket: str | None = None
    """Unix socket of the process that sends events (`samsyn live`); by default `samsyn serve`
    starts one, `off`: none."""
    live_streams: int = Field(default=100, ge=1)
    """Streams of events that a user, or an address without signing in, may have at a server."""
    titiler_memory: int = Field(default=1024, ge=256)
    """MiB of memory that a raster tiler may use."""
    redis_url: str | None = None
    storage_dir: Path | None = None
    """Folder of uploaded files and results, without a bucket; by default one in the checkout."""
    s3_bucket: str | None = None
    """Bucket of uploaded files and results, in place of a folder."""
    aws_access_key_id: str | None = None
    aws_secret_access_key: SecretStr | None = None
    aws_region: str | None = None
    aws_endpoint_url: str | None = None

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    web_concurrency: int | None = Field(default=None, ge=1, le=256)
    """Number of worker processes; by default one a core."""
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """Port of the metrics for Prometheus; by default nothing is counted."""
    metrics_host: str = "127.0.0.1"
    tracing: bool = False
    """Whether requests and jobs are sent as spans of OpenTelemetry."""
    log_format: LogFormat = "text"
    """How the lines of the log are written."""
    slow_statements: int = Field(default=0, ge=0)
    """Milliseconds from which a request's statement is told of in the log; 0: none is."""
    statement_timeout: int = Field(default=30, ge=1)
    """Seconds after which the database cancels a request's statement."""
    header_timeout: int = Field(default=10, ge=1)
    """Seconds that a client has for the headers of a request."""
    body_timeout: int = Field(default=60, ge=1)
    """Seconds that a client has for a body, and for taking a response, and one more per 16 KiB."""
    stop_timeout: int | None = Field(default=None, ge=1)
    """Seconds that requests have to end after SIGTERM; by default 10 more than a statement."""
    anonymous_statement_timeout: int = Field(default=10, ge=1)
    """Seconds after which a statement of a request without credentials is cancelled."""
    anonymous_slow_statements: int = Field(default=2, ge=1)
    """How many statements of requests without credentials may run for over a second at the same
    time in a worker."""
    public_max_age: int = Field(default=60, ge=0, le=86_400)
    """Seconds for which shared caches may keep what anybody may read, until they ask again."""
    plan_cache_mode: Literal["force_generic_plan", "auto"] = "force_generic_plan"
    """How PostgreSQL plans prepared statements: once each; `auto` where tables are distributed."""
    bulk_timeout: int = Field(default=300, ge=1)
    """Seconds that a bulk import may take once its body has arrived."""
    import_timeout: int = Field(default=3600, ge=1)
    """Seconds that `samsyn import` may take for a file."""
    jobs_workers: int = Field(default=2, ge=0, le=64)
    """Jobs that a worker runs at a time; 0: `samsyn serve` starts no worker."""
    job_timeout: int | None = Field(default=None, ge=1)
    """Seconds that a job may take; by default as long as `samsyn import` for a file."""
    job_memory: int = Field(default=2048, ge=128)
    """MiB of memory that a job may use."""
    job_retention: int = Field(default=30, ge=1, le=36_500)
    """Days after which a job that is over is removed, with its result."""
    prepared_statements: bool = True
    """Whether frequent statements are prepared; a pooler has to support prepared statements."""
    count_budget: int = Field(default=300, ge=0, le=60_000)
    """Milliseconds that counting the matches of a filter may take; 0: only what is free."""
    max_vertices: int = Field(default=500_000, ge=1_000)
    """The most positions of a feature's geometry."""
    max_properties: int = Field(default=1_000, ge=10)
    """The most properties of a feature, of a layer's schema, and of a download's columns."""
    inline_features: int = Field(default=5000, ge=0)
    """Up to how many features a layer's `source_config` includes all of them."""

    max_body_size: int = Field(default=16 * 1024**2, ge=1024)
    """Bytes of a request's body, once it is decoded."""
    max_bulk_size: int = Field(default=2 * 1024**3, ge=1024)
    """The same of a bulk import."""
    max_bulk_features: int = Field(default=5_000_000, ge=1)
    """Features of a bulk import."""

    max_jobs_per_user: int = Field(default=50, ge=0)
    """Jobs of a user that wait or run; 0, here and below: no limit."""
    max_tokens_per_user: int = Field(default=100, ge=0)
    """API tokens that are neither revoked nor expired."""
    max_maps_per_user: int = Field(default=1_000, ge=0)
    max_layers_per_user: int = Field(default=10_000, ge=0)
    max_layers_per_map: int = Field(default=200, ge=0)
    max_collaborators_per_map: int = Field(default=500, ge=0)
    max_comments_per_user: int = Field(default=20_000, ge=0)
    max_comments_per_map: int = Field(default=10_000, ge=0)
    max_comments_per_layer: int = Field(default=10_000, ge=0)
    """Comments on a layer, on maps or outside of them."""
    max_subscriptions_per_user: int = Field(default=100, ge=0)
    """Maps and threads that a user follows."""
    max_features_per_layer: int = Field(default=10_000_000, ge=0)
    max_features_per_user: int = Field(default=50_000_000, ge=0)
    """Features in all layers that a user has created, whoever wrote them."""

    max_upload: int = Field(default=2 * 1024**3, ge=1024)
    """Bytes of all files of an import."""
    max_upload_bytes_per_user: int = Field(default=20 * 1024**3, ge=0)
    """Bytes of the files of all imports and layers of a user that are stored."""
    max_raster_values: int = Field(default=2_000_000_000, ge=1_000)
    """Values of a raster that is imported: its pixels, of all bands and times."""
    max_pending_imports_per_user: int = Field(default=100, ge=0)
    """Imports of a user that are not committed."""
    import_retention: int = Field(default=90, ge=1)
    """Days after its last change for which an import can be undone and its files are kept."""
    deleted_layer_retention: int = Field(default=90, ge=1, le=36_500)
    """Days for which the creator of a layer that was deleted can restore it."""
    history_retention: int | None = Field(default=None, ge=1, le=36_500)
    """Days for which versions of features are kept; by default for ever."""
    upload_retention: int = Field(default=7, ge=1)
    """The same of an import that is not committed."""

    writes_per_minute: int = Field(default=600, ge=0, le=MAX_PER_MINUTE)
    """Requests of a user that write; 0, here and below: they are not counted."""
    uploads_per_minute: int = Field(default=60, ge=0, le=MAX_PER_MINUTE)
    """Uploaded files and bulk imports of a user."""
    downloads_per_minute: int = Field(default=60, ge=0, le=MAX_PER_MINUTE)
    """Files of a user, or of an address without signing in."""
    searches_per_minute: int = Field(default=600, ge=0, le=MAX_PER_MINUTE)
    """Searches and filtered requests of an address without signing in."""
    tiles_per_minute: int = Field(default=3_000, ge=0, le=MAX_PER_MINUTE)
    """Tiles that have to be made, of a user or of an address without signing in."""
    outgoing_per_minute: int = Field(default=300, ge=0, le=MAX_PER_MINUTE)
    """Requests to other servers for a user, or for an address without signing in."""
    lookups_per_minute: int = Field(default=60, ge=0, le=MAX_PER_MINUTE)
    """People that a user looks for by email, or invites."""
    rasters_per_minute: int = Field(default=30, ge=0, le=MAX_PER_MINUTE)
    """GeoTIFFs of other servers that a user looks at and that no layer holds."""
    wrong_credentials_per_minute: int = Field(default=30, ge=0, le=MAX_PER_MINUTE)
    """Credentials from an address that are not valid."""

    @property
    def names_requests(self) -> bool:
        """Whether each request has an id, as lines of the log name it; those that write always
        have one."""
        return self.log_format == "json" or self.slow_statements > 0 or self.tracing

    @field_validator("direct_database_url")
    @classmethod
    def _has_what_it_is_past(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value and not info.data.get("database_url"):
            raise ValueError("DATABASE_URL has to be set too: to the pooler")
        return value

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: Any) -> Any:
        """Leave out what is empty: a file of a secret that is not given, as the environment."""
        return {name: value for name, value in values.items() if value != ""}

    @field_validator("clerk_authorized_parties", "allowed_hosts", "outgoing_allow", mode="before")
    @classmethod
    def _split_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("titiler_url")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value and value != "off" and not value.startswith(("http://", "https://")):
            raise ValueError("an address that begins with http:// or https://, or off")
        return value

    @field_validator("read_database_url")
    @classmethod
    def _is_database(cls, value: str | None) -> str | None:
        if value and not re.match(r"postgres(ql(\+psycopg)?)?://", value):
            raise ValueError("an address that begins with postgresql://")
        return value

    @field_validator("smtp_tls")
    @classmethod
    def _hides_password(cls, value: str, others: ValidationInfo) -> str:
        if value == "off" and others.data.get("smtp_password"):
            raise ValueError("SMTP_PASSWORD is not sent without encryption")
        return value

    @field_validator("mail_from")
    @classmethod
    def _is_sender(cls, value: str | None, others: ValidationInfo) -> str | None:
        found = getaddresses([value]) if value and value.isprintable() else []
        if value and not (len(found) == 1 and "@" in found[0][1][1:-1] and found[0][1].isascii()):
            raise ValueError("an address, such as SamSyn <samsyn@example.org>")
        if not value and others.data.get("smtp_host"):
            raise ValueError("SMTP_HOST needs it: the sender of mail")
        return value

    @field_validator("public_url", "frontend_url", "titiler_url", "clerk_issuer", "gfw_api_url")
    @classmethod
    def _no_trailing_slash(cls, value: str | None) -> str | None:
        return value.rstrip("/") if value else None

    @property
    def address(self) -> str:
        """The address that links begin with where there is no request: `public_url`, else that
        which the server listens on."""
        return self.public_url or f"http://{self.host}:{self.port}"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the settings of this process, read once."""
    return Settings()
