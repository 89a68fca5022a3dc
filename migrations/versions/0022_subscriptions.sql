CREATE TABLE subscriptions (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    map_id uuid,
    comment_id uuid,
    subject_id uuid NOT NULL,
    frequency varchar NOT NULL,
    webhook_url varchar,
    webhook_secret bytea,
    status varchar DEFAULT 'active' NOT NULL,
    reason varchar,
    position bigint NOT NULL,
    until bigint,
    news_position bigint DEFAULT 0 NOT NULL,
    due_at timestamptz,
    claimed_until timestamptz,
    failures bigint DEFAULT 0 NOT NULL,
    failing_since timestamptz,
    delivered_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_subscriptions PRIMARY KEY (id),
    CONSTRAINT fk_subscriptions_user_id FOREIGN KEY (user_id) REFERENCES users (id),
    CONSTRAINT fk_subscriptions_map_id FOREIGN KEY (map_id) REFERENCES maps (id) ON DELETE CASCADE,
    CONSTRAINT fk_subscriptions_comment_id FOREIGN KEY (comment_id) REFERENCES comments (id)
        ON DELETE CASCADE,
    CONSTRAINT ck_subscriptions_subject CHECK (num_nonnulls(map_id, comment_id) = 1),
    CONSTRAINT ck_subscriptions_frequency CHECK (frequency IN ('immediate', 'hourly', 'daily')),
    CONSTRAINT ck_subscriptions_status CHECK (
        status IN ('active', 'paused', 'resting', 'failed')),
    CONSTRAINT ck_subscriptions_webhook CHECK ((webhook_url IS NULL) = (webhook_secret IS NULL))
);
CREATE UNIQUE INDEX uq_subscriptions_subject ON subscriptions
    (user_id, coalesce(map_id, comment_id), md5(coalesce(webhook_url, '')));
CREATE INDEX ix_subscriptions_map_id ON subscriptions (map_id);
CREATE INDEX ix_subscriptions_comment_id ON subscriptions (comment_id);
CREATE INDEX ix_subscriptions_subject_id ON subscriptions (subject_id);
CREATE INDEX ix_subscriptions_due_at ON subscriptions (due_at)
    WHERE status = 'active' AND due_at IS NOT NULL;

-- The state that its owner sees; what workers note of a delivery is none.
CREATE TRIGGER keep_updated_at BEFORE UPDATE ON subscriptions FOR EACH ROW
    WHEN ((OLD.frequency, OLD.status, OLD.reason, OLD.delivered_at)
        IS DISTINCT FROM (NEW.frequency, NEW.status, NEW.reason, NEW.delivered_at))
    EXECUTE FUNCTION keep_updated_at();
