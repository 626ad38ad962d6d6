-- A journal of schema 1 with a past, as `sqlite3 state.db .dump` shows it: a question under way, a part of its
-- answer whose sending is unknown, a message that waits, and one that was ignored.
PRAGMA application_id = 1264009546;
PRAGMA journal_mode = WAL;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO _sqlx_migrations VALUES(1,'journal','2026-11-21 08:58:55',1,X'051a655e0d02827ef774b800aff7de17500d7b0677f8e7548b0aa69cb7807d888de78cb56e204abe976e053526b6581e',2388160);
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
INSERT INTO turn VALUES(1,'106540352242922/+15550000001','{"chat":{"number":"106540352242922","peer":{"phone":"+15550000001"}},"to":{"phone":"+15550000001"},"session":"agent:main:main-wa-1","key":"key-1","text":"what the agent reads","context":"","last":"wamid.1.1"}','asked',NULL,'boot-1','mark-1',1790000000000,1790000000000,1,1,1790000000000,NULL);
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
INSERT INTO message VALUES(1,'106540352242922','wamid.1.1','106540352242922/+15550000001','in_turn',NULL,NULL,'{"number":"106540352242922","id":"wamid.1.1","from":{"phone":"+15550000001"},"name":"Ann \"A\" O''Hara\n𝄞","sent_at":1790000001000,"content":{"type":"text","body":"text 1 👩‍👩‍👧"},"quoted":null,"forwarded":false,"source":"poll"}',1790000001000,1790000000000,1);
INSERT INTO message VALUES(2,'106540352242922','wamid.2.1','106540352242922/+15550000002','received',NULL,NULL,'{"number":"106540352242922","id":"wamid.2.1","from":{"phone":"+15550000002"},"name":"Ann \"A\" O''Hara\n𝄞","sent_at":1790000001000,"content":{"type":"text","body":"text 1 👩‍👩‍👧"},"quoted":null,"forwarded":false,"source":"poll"}',1790000001000,1790000000000,NULL);
INSERT INTO message VALUES(3,'106540352242922','wamid.x',NULL,'ignored','malformed','no type',NULL,NULL,1790000000000,NULL);
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
INSERT INTO outgoing VALUES(1,'106540352242922/+15550000001',NULL,0,'direct','{"chat":{"number":"106540352242922","peer":{"phone":"+15550000001"}},"to":{"phone":"+15550000001"},"body":{"type":"text","body":"by hand"},"quote":null}','sent',NULL,1,NULL,'wamid.out',1790000000000,1790000000000);
INSERT INTO outgoing VALUES(2,'106540352242922/+15550000001',1,0,'reply','{"chat":{"number":"106540352242922","peer":{"phone":"+15550000001"}},"to":{"phone":"+15550000001"},"body":{"type":"text","body":"first part"},"quote":null}','unknown','timed out',1,NULL,NULL,1790000000000,1790000000000);
CREATE TABLE listing (
    number TEXT PRIMARY KEY,
    listed_to BIGINT NOT NULL
);
INSERT INTO listing VALUES('106540352242922',1790000000000);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('message',3);
INSERT INTO sqlite_sequence VALUES('turn',1);
INSERT INTO sqlite_sequence VALUES('outgoing',2);
CREATE UNIQUE INDEX turn_open ON turn (chat) WHERE state IN ('queued', 'asked');
CREATE INDEX turn_state ON turn (state, reason);
CREATE INDEX message_received ON message (chat, sent_at, seq) WHERE state = 'received';
CREATE INDEX message_turn ON message (turn_id) WHERE turn_id IS NOT NULL;
CREATE INDEX message_state ON message (state, reason);
CREATE INDEX outgoing_waiting ON outgoing (chat, id) WHERE state IN ('queued', 'sending', 'unknown');
CREATE INDEX outgoing_notice ON outgoing (chat, created_at) WHERE kind = 'notice';
CREATE INDEX outgoing_wamid ON outgoing (wamid) WHERE wamid IS NOT NULL;
CREATE INDEX outgoing_state ON outgoing (state, reason);
COMMIT;
