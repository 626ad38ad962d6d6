-- People: the two names of one person, who asks to be let in, who was, and who spoke in which session.

-- Which number a user id belongs to, at each business number: one of each, the newest. `phone` is the number as it was
-- received, `peer` the form by which its spellings are compared, `at` when a message first said so.
CREATE TABLE link (
    number TEXT NOT NULL,
    user_id TEXT NOT NULL,
    phone TEXT NOT NULL,
    peer TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (number, user_id),
    UNIQUE (number, peer)
);

-- The codes that strangers were given and that nobody has approved yet. A code is in upper case.
CREATE TABLE pairing (
    code TEXT PRIMARY KEY,
    number TEXT NOT NULL,
    chat TEXT NOT NULL UNIQUE,
    name TEXT,
    asked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX pairing_number ON pairing (number);

-- Who was let in by a code.
CREATE TABLE approval (
    chat TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    at BIGINT NOT NULL
);

-- Whose words each session of the gateway has had; `at` is when, to the day.
CREATE TABLE session_sender (
    session TEXT NOT NULL,
    chat TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (session, chat)
);

CREATE INDEX session_sender_at ON session_sender (at);

-- A session that several had before must not look like that of the first who writes now. (Reading JSON is particular to
-- SQLite; elsewhere there is no past.)
INSERT INTO session_sender (session, chat, at)
SELECT session, chat, MAX(created_at) FROM (
    SELECT CASE WHEN json_valid(body) THEN json_extract(body, '$.session') END AS session, chat, created_at FROM turn
) AS asked
WHERE session IS NOT NULL GROUP BY session, chat;
