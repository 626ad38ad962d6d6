-- A journal of schema 4 with a past, as `sqlite3 state.db .dump` shows it: what the one of schema 3 holds, and the key of a
-- webhook that registered itself.
PRAGMA application_id = 1264009546;
PRAGMA user_version = 4;
PRAGMA journal_mode = WAL;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO "counter" VALUES('recovered',3);
INSERT INTO "counter" VALUES('duplicates',1);
INSERT INTO "counter" VALUES('expired',2);
INSERT INTO "counter" VALUES('undelivered',1);
INSERT INTO "counter" VALUES('unknown',2);
INSERT INTO "counter" VALUES('repeated',1);
CREATE TABLE listing (
    number TEXT PRIMARY KEY,
    listed_to BIGINT NOT NULL
);
INSERT INTO "listing" VALUES('106540352242922',1790000000000);
CREATE TABLE beginning (
    number TEXT PRIMARY KEY,
    at BIGINT NOT NULL
);
INSERT INTO beginning VALUES('106540352242922',1789999999000);
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
    turn_id BIGINT REFERENCES turn (id), source TEXT DEFAULT 'poll', done_at BIGINT, released_at BIGINT, stumbles BIGINT NOT NULL DEFAULT 0,
    UNIQUE (number, wamid)
);
INSERT INTO "message" VALUES(1,'106540352242922','wamid.1.1','106540352242922/+15550000001','in_turn',NULL,NULL,'{"number":"106540352242922","id":"wamid.1.1","from":{"phone":"+15550000001"},"name":"Ann \"A\" O''Hara\n𝄞","sent_at":1790000001000,"content":{"type":"text","body":"text 1 👩‍👩‍👧"},"quoted":null,"forwarded":false,"source":"webhook"}',1790000001000,1790000000000,1,'webhook',NULL,NULL,1);
INSERT INTO "message" VALUES(2,'106540352242922','wamid.2.1','106540352242922/+15550000002','received',NULL,NULL,'{"number":"106540352242922","id":"wamid.2.1","from":{"phone":"+15550000002"},"name":"Ann \"A\" O''Hara\n𝄞","sent_at":1790000001000,"content":{"type":"text","body":"text 1 👩‍👩‍👧"},"quoted":null,"forwarded":false,"source":"webhook"}',1790000001000,1790000000000,NULL,'webhook',NULL,1790000000000,0);
INSERT INTO "message" VALUES(3,'106540352242922','wamid.3.1','106540352242922/+15550000003','expired','waited 25 hours',NULL,NULL,1790000001000,1790000000000,NULL,'poll',1790000000000,NULL,0);
INSERT INTO "message" VALUES(4,'106540352242922','wamid.x',NULL,'ignored','malformed','no type',NULL,NULL,1790000000000,NULL,NULL,1790000000000,NULL,0);
INSERT INTO "message" VALUES(5,'106540352242922','wamid.5.1','106540352242922/+541155551234','received',NULL,NULL,'{"number":"106540352242922","id":"wamid.5.1","from":{"user":"AR.1049384756102"},"user":null,"known_as":"+5491155551234","name":"Ann","sent_at":1790000001000,"content":{"type":"text","body":"text 1"},"quoted":null,"forwarded":false,"source":"webhook"}',1790000001000,1790000000000,NULL,'webhook',NULL,NULL,0);
INSERT INTO "message" VALUES(6,'106540352242922','wamid.6.1','106540352242922/+15550000006','refused','not_paired',NULL,'{"number":"106540352242922","id":"wamid.6.1","from":{"phone":"+15550000006"},"user":null,"known_as":null,"name":"Bo","sent_at":1790000001000,"content":{"type":"text","body":"text 1"},"quoted":null,"forwarded":false,"source":"poll"}',1790000001000,1790000000000,NULL,'poll',1790000000000,NULL,0);
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
    updated_at BIGINT NOT NULL, stumbles BIGINT NOT NULL DEFAULT 0, repeats BIGINT NOT NULL DEFAULT 0, sent_at BIGINT, delivery TEXT, delivery_at BIGINT,
    UNIQUE (turn_id, part)
);
INSERT INTO "outgoing" VALUES(1,'106540352242922/+15550000001',NULL,0,'direct','','failed','131047 Re-engagement message',1,NULL,'wamid.out',1790000000000,1790000000000,0,0,1790000000000,'failed',1790000000000);
INSERT INTO "outgoing" VALUES(2,'106540352242922/+15550000001',1,0,'reply','{"chat":{"number":"106540352242922","peer":{"phone":"+15550000001"}},"to":{"phone":"+15550000001"},"body":{"type":"text","body":"first part"},"quote":null}','unknown','timed out',2,NULL,NULL,1790000000000,1790000000000,0,1,NULL,NULL,NULL);
INSERT INTO "outgoing" VALUES(3,'106540352242922/+15550000006',NULL,0,'notice','{"chat":{"number":"106540352242922","peer":{"phone":"+15550000006"}},"to":{"phone":"+15550000006"},"body":{"type":"text","body":"Your code: K7PM2Q"},"quote":null}','queued',NULL,0,NULL,NULL,1790000000000,1790000000000,0,0,NULL,NULL,NULL);
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
INSERT INTO "receipt" VALUES('106540352242922','wamid.part','106540352242922/+15550000001','first part','delivered',NULL,1790000000000,1790000000000,1790000000000);
CREATE TABLE slimmed (
    kind TEXT PRIMARY KEY,
    row_to BIGINT NOT NULL
);
INSERT INTO "slimmed" VALUES('message',4);
INSERT INTO "slimmed" VALUES('turn',0);
INSERT INTO "slimmed" VALUES('outgoing',2);
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
, stumbles BIGINT NOT NULL DEFAULT 0);
INSERT INTO "turn" VALUES(1,'106540352242922/+15550000001','{"chat":{"number":"106540352242922","peer":{"phone":"+15550000001"}},"to":{"phone":"+15550000001"},"session":"agent:main:main-wa-1","key":"key-1","text":"what the agent reads","context":"","last":"wamid.1.1"}','asked',NULL,'boot-1','mark-1',1790000000000,1790000000000,1,1,1790000000000,NULL,1);
CREATE TABLE link (
    number TEXT NOT NULL,
    user_id TEXT NOT NULL,
    phone TEXT NOT NULL,
    peer TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (number, user_id),
    UNIQUE (number, peer)
);
INSERT INTO link VALUES('106540352242922','AR.1049384756102','5491155551234','541155551234',1789999990000);
CREATE TABLE pairing (
    code TEXT PRIMARY KEY,
    number TEXT NOT NULL,
    chat TEXT NOT NULL UNIQUE,
    name TEXT,
    asked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
INSERT INTO pairing VALUES('K7PM2Q','106540352242922','106540352242922/+15550000006','Bo',1790000000000,1790003600000);
CREATE TABLE approval (
    chat TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    at BIGINT NOT NULL
);
INSERT INTO approval VALUES('106540352242922/+15550000007','guest',1789999990000);
CREATE TABLE session_sender (
    session TEXT NOT NULL,
    chat TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (session, chat)
);
INSERT INTO session_sender VALUES('agent:main:main-wa-1','106540352242922/+15550000001',1790000000000);
INSERT INTO session_sender VALUES('agent:main:main-wa-1','106540352242922/+15550000002',1789000000000);
CREATE TABLE webhook_secret (
    number TEXT PRIMARY KEY,
    secret TEXT NOT NULL,
    at BIGINT NOT NULL
);
INSERT INTO webhook_secret VALUES('106540352242922','5ecret',1790000000000);
CREATE UNIQUE INDEX turn_open ON turn (chat) WHERE state IN ('queued', 'asked');
CREATE INDEX turn_state ON turn (state, reason);
CREATE INDEX message_received ON message (chat, sent_at, seq) WHERE state = 'received';
CREATE INDEX message_turn ON message (turn_id) WHERE turn_id IS NOT NULL;
CREATE INDEX message_state ON message (state, reason);
CREATE INDEX outgoing_waiting ON outgoing (chat, id) WHERE state IN ('queued', 'sending', 'unknown');
CREATE INDEX outgoing_notice ON outgoing (chat, created_at) WHERE kind = 'notice';
CREATE INDEX outgoing_wamid ON outgoing (wamid) WHERE wamid IS NOT NULL;
CREATE INDEX outgoing_state ON outgoing (state, reason);
CREATE INDEX receipt_chat ON receipt (chat, first_at) WHERE chat IS NOT NULL;
CREATE INDEX pairing_number ON pairing (number);
CREATE INDEX session_sender_at ON session_sender (at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('message',6);
INSERT INTO "sqlite_sequence" VALUES('turn',1);
INSERT INTO "sqlite_sequence" VALUES('outgoing',3);
COMMIT;
