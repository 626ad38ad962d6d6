-- The ledger: when a row was over, what was tried again, and what WhatsApp told of it.
-- Every message of the first schema was read from the list.

ALTER TABLE message ADD COLUMN source TEXT DEFAULT 'poll';
ALTER TABLE message ADD COLUMN done_at BIGINT;
ALTER TABLE message ADD COLUMN released_at BIGINT;
ALTER TABLE message ADD COLUMN stumbles BIGINT NOT NULL DEFAULT 0;

ALTER TABLE turn ADD COLUMN stumbles BIGINT NOT NULL DEFAULT 0;

ALTER TABLE outgoing ADD COLUMN stumbles BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outgoing ADD COLUMN repeats BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outgoing ADD COLUMN sent_at BIGINT;
ALTER TABLE outgoing ADD COLUMN delivery TEXT;
ALTER TABLE outgoing ADD COLUMN delivery_at BIGINT;

-- How often something happened, for as long as the journal lives; a name that is missing stands at 0.
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);

-- What WhatsApp told of messages that no row is known to have become: they may be the rows whose answer was lost.
-- `fate`, `reason` and `at` are its newest word, `first_at` is the time of its first.
CREATE TABLE receipt (
    number TEXT NOT NULL,
    wamid TEXT NOT NULL,
    chat TEXT,
    text TEXT,
    fate TEXT NOT NULL,
    reason TEXT,
    at BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    noted_at BIGINT NOT NULL,
    PRIMARY KEY (number, wamid)
);

CREATE INDEX receipt_chat ON receipt (chat, first_at) WHERE chat IS NOT NULL;

-- How far the words of each kind of row have been dropped, to keep the journal small.
CREATE TABLE slimmed (
    kind TEXT PRIMARY KEY,
    row_to BIGINT NOT NULL
);

-- Since when messages of a number count: what was sent before the bridge ran for the first time is not answered.
CREATE TABLE beginning (
    number TEXT PRIMARY KEY,
    at BIGINT NOT NULL
);
INSERT INTO beginning (number, at) SELECT number, 0 FROM listing;
