-- The ledger: what broke the bridge, what was put back to work, what became of what was sent, and how often.

-- How often the bridge broke while it worked on the row; twice sets it aside.
ALTER TABLE message ADD COLUMN stumbles BIGINT NOT NULL DEFAULT 0;
-- When the operator put it back to work: its age counts from then.
ALTER TABLE message ADD COLUMN released_at BIGINT;
-- When it left `received` and `in_turn` for good.
ALTER TABLE message ADD COLUMN done_at BIGINT;

ALTER TABLE turn ADD COLUMN stumbles BIGINT NOT NULL DEFAULT 0;

ALTER TABLE outgoing ADD COLUMN stumbles BIGINT NOT NULL DEFAULT 0;
-- How often it was sent again although it may have been taken.
ALTER TABLE outgoing ADD COLUMN repeats BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outgoing ADD COLUMN sent_at BIGINT;
-- What WhatsApp told since: `sent`, `delivered`, `read` or `failed`.
ALTER TABLE outgoing ADD COLUMN delivery TEXT;
ALTER TABLE outgoing ADD COLUMN delivery_at BIGINT;

-- What WhatsApp told of messages that no row is known to have been sent as: perhaps of a row whose answer was lost.
CREATE TABLE receipt (
    number TEXT NOT NULL,
    wamid TEXT NOT NULL,
    chat TEXT,
    words TEXT,
    by_hand BIGINT NOT NULL,
    fate TEXT NOT NULL,
    reason TEXT,
    happened_at BIGINT NOT NULL,
    noted_at BIGINT NOT NULL,
    PRIMARY KEY (number, wamid)
);

CREATE INDEX receipt_chat ON receipt (chat, noted_at) WHERE chat IS NOT NULL;
CREATE INDEX receipt_noted ON receipt (noted_at);

-- How often each thing happened since the journal was made.
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
