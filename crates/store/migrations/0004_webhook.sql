-- The webhook that the bridge registers itself: the key of its signatures, made here, for each business number that the
-- configuration gives none. Kapso keeps the same one beside the webhook.
CREATE TABLE webhook_secret (
    number TEXT PRIMARY KEY,
    secret TEXT NOT NULL,
    at BIGINT NOT NULL
);
