-- The journal: what came in, what was asked, what goes out.
-- `body` holds a noun of the model as JSON; times are milliseconds since the Unix epoch.
-- Only the numbering (AUTOINCREMENT) is particular to SQLite.

CREATE TABLE turn (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chat TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    boot TEXT,
    transcript_mark TEXT,
    asked_at BIGINT,
    accepted_at BIGINT,
    attempts BIGINT NOT NULL DEFAULT 0,
    said BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    settled_at BIGINT
);

-- One unfinished turn per chat, by force.
CREATE UNIQUE INDEX turn_open ON turn (chat) WHERE state IN ('queued', 'asked');
CREATE INDEX turn_state ON turn (state, reason);

-- Everything that was ever listed or pushed; the key decides what is new. `chat`, `body` and `sent_at` are
-- missing where an item never concerned a chat.
CREATE TABLE message (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    number TEXT NOT NULL,
    wamid TEXT NOT NULL,
    chat TEXT,
    state TEXT NOT NULL,
    reason TEXT,
    detail TEXT,
    body TEXT,
    sent_at BIGINT,
    received_at BIGINT NOT NULL,
    turn_id BIGINT REFERENCES turn (id),
    UNIQUE (number, wamid)
);

CREATE INDEX message_received ON message (chat, sent_at, seq) WHERE state = 'received';
CREATE INDEX message_turn ON message (turn_id) WHERE turn_id IS NOT NULL;
CREATE INDEX message_state ON message (state, reason);

CREATE TABLE outgoing (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chat TEXT NOT NULL,
    turn_id BIGINT REFERENCES turn (id),
    part BIGINT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    attempts BIGINT NOT NULL DEFAULT 0,
    not_before BIGINT,
    wamid TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (turn_id, part)
);

CREATE INDEX outgoing_waiting ON outgoing (chat, id) WHERE state IN ('queued', 'sending', 'unknown');
CREATE INDEX outgoing_notice ON outgoing (chat, created_at) WHERE kind = 'notice';
CREATE INDEX outgoing_wamid ON outgoing (wamid) WHERE wamid IS NOT NULL;
CREATE INDEX outgoing_state ON outgoing (state, reason);

-- How far each number's list has been read: a hint where to look, never what is new.
CREATE TABLE listing (
    number TEXT PRIMARY KEY,
    listed_to BIGINT NOT NULL
);
