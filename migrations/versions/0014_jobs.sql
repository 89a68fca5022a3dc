CREATE TABLE imports (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    name varchar NOT NULL,
    status varchar DEFAULT 'uploading' NOT NULL,
    files jsonb DEFAULT '[]' NOT NULL,
    size bigint DEFAULT 0 NOT NULL,
    inspection jsonb,
    choices jsonb,
    report jsonb,
    faults jsonb,
    imported_at timestamptz,
    undone_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_imports PRIMARY KEY (id),
    CONSTRAINT fk_imports_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT ck_imports_name CHECK (char_length(name) BETWEEN 1 AND 255),
    CONSTRAINT ck_imports_status CHECK (
        status IN ('uploading', 'uploaded', 'inspected', 'imported', 'undone', 'failed'))
);
CREATE INDEX ix_imports_user_id_created_at ON imports (user_id, created_at);

CREATE TABLE import_layers (
    import_id uuid NOT NULL,
    layer_id uuid NOT NULL,
    mode varchar NOT NULL,
    inserted int8multirange,
    data_version bigint,
    layer_updated_at timestamptz,
    property_schema jsonb,
    CONSTRAINT pk_import_layers PRIMARY KEY (import_id, layer_id),
    CONSTRAINT fk_import_layers_import_id FOREIGN KEY (import_id) REFERENCES imports (id)
        ON DELETE CASCADE,
    CONSTRAINT ck_import_layers_mode CHECK (mode IN ('create', 'append', 'replace', 'update'))
);
CREATE INDEX ix_import_layers_layer_id ON import_layers (layer_id);

CREATE TABLE import_changes (
    layer_id uuid NOT NULL,
    feature_id bigint NOT NULL,
    import_id uuid NOT NULL,
    version bigint NOT NULL,
    was_deleted boolean NOT NULL,
    geom geometry,
    properties jsonb NOT NULL,
    created_by uuid,
    updated_by uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pk_import_changes PRIMARY KEY (layer_id, feature_id, import_id)
);
CREATE INDEX ix_import_changes_import_id ON import_changes (import_id);

CREATE TABLE jobs (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    kind varchar NOT NULL,
    status varchar DEFAULT 'accepted' NOT NULL,
    progress smallint DEFAULT 0 NOT NULL,
    message varchar,
    parameters jsonb DEFAULT '{}' NOT NULL,
    result jsonb,
    problem jsonb,
    import_id uuid,
    queue_id bigint,
    attempts smallint DEFAULT 0 NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_jobs PRIMARY KEY (id),
    CONSTRAINT fk_jobs_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT fk_jobs_import_id FOREIGN KEY (import_id) REFERENCES imports (id) ON DELETE CASCADE,
    CONSTRAINT ck_jobs_kind CHECK (
        kind IN ('inspect', 'import', 'undo', 'export_layer', 'export_map')),
    CONSTRAINT ck_jobs_status CHECK (
        status IN ('accepted', 'running', 'successful', 'failed', 'dismissed')),
    CONSTRAINT ck_jobs_progress CHECK (progress BETWEEN 0 AND 100)
);
CREATE INDEX ix_jobs_user_id_created_at ON jobs (user_id, created_at);
CREATE INDEX ix_jobs_import_id ON jobs (import_id);

CREATE TRIGGER keep_updated_at BEFORE UPDATE ON imports
    FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
CREATE TRIGGER keep_updated_at BEFORE UPDATE ON jobs
    FOR EACH ROW EXECUTE FUNCTION keep_updated_at();
