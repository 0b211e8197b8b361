-- What each space makes this host keep, so that no quota has to be counted anew. Triggers keep it.
CREATE TABLE space_use (
    space            BLOB    PRIMARY KEY NOT NULL REFERENCES space (id) ON DELETE CASCADE,
    spooled          INTEGER NOT NULL DEFAULT 0,
    spool_bytes      INTEGER NOT NULL DEFAULT 0,
    mails            INTEGER NOT NULL DEFAULT 0,
    mail_bytes       INTEGER NOT NULL DEFAULT 0,
    attachment_bytes INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
INSERT INTO space_use (space) SELECT id FROM space;
CREATE TRIGGER space_use_begins AFTER INSERT ON space
BEGIN INSERT INTO space_use (space) VALUES (NEW.id); END;

-- Deliveries for other vaults, sealed, until they are settled or expire. `number` is their order.
CREATE TABLE spool (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery BLOB    NOT NULL UNIQUE,
    lane     BLOB    NOT NULL,
    space    BLOB    NOT NULL REFERENCES space (id) ON DELETE CASCADE,
    expires  INTEGER NOT NULL,
    bytes    BLOB    NOT NULL
) STRICT;
CREATE INDEX spool_lane ON spool (lane, number);
CREATE INDEX spool_space ON spool (space);
CREATE INDEX spool_expires ON spool (expires);
CREATE TRIGGER spool_grows AFTER INSERT ON spool BEGIN
    UPDATE space_use SET spooled = spooled + 1, spool_bytes = spool_bytes + length(NEW.bytes)
    WHERE space = NEW.space;
END;
CREATE TRIGGER spool_shrinks AFTER DELETE ON spool BEGIN
    UPDATE space_use SET spooled = spooled - 1, spool_bytes = spool_bytes - length(OLD.bytes)
    WHERE space = OLD.space;
END;

-- Which mailbox is whose: a name that only the enclave can make.
CREATE TABLE mailbox (
    id    BLOB PRIMARY KEY NOT NULL,
    space BLOB NOT NULL UNIQUE REFERENCES space (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Deliveries for closed vaults, sealed, until their vault has applied them or they expire.
CREATE TABLE mail (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    space    BLOB    NOT NULL REFERENCES space (id) ON DELETE CASCADE,
    delivery BLOB    NOT NULL,
    expires  INTEGER NOT NULL,
    bytes    BLOB    NOT NULL,
    UNIQUE (space, delivery)
) STRICT;
CREATE INDEX mail_space ON mail (space, number);
CREATE INDEX mail_expires ON mail (expires);
CREATE TRIGGER mail_grows AFTER INSERT ON mail BEGIN
    UPDATE space_use SET mails = mails + 1, mail_bytes = mail_bytes + length(NEW.bytes)
    WHERE space = NEW.space;
END;
CREATE TRIGGER mail_shrinks AFTER DELETE ON mail BEGIN
    UPDATE space_use SET mails = mails - 1, mail_bytes = mail_bytes - length(OLD.bytes)
    WHERE space = OLD.space;
END;

-- Sealed home records of this node's vaults, put into the network again until they expire.
CREATE TABLE home (
    space    BLOB    PRIMARY KEY NOT NULL REFERENCES space (id) ON DELETE CASCADE,
    location BLOB    NOT NULL,
    expires  INTEGER NOT NULL,
    record   BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- Peers as the operator sees them. `node` is the identity that an admitted peer has proven.
CREATE TABLE peer (
    peer        BLOB    PRIMARY KEY NOT NULL,
    node        BLOB,
    state       TEXT    NOT NULL CHECK (state IN ('admitted', 'refused', 'away')),
    why         TEXT    NOT NULL,
    since       INTEGER NOT NULL,
    expires     INTEGER NOT NULL,
    path        TEXT    NOT NULL,
    release     INTEGER NOT NULL,
    measurement BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX peer_since ON peer (since);

-- Chunks of attachments in the object store. `source` is the node that a copy was fetched from;
-- empty for what was stored here by its owner.
CREATE TABLE attachment (
    id      BLOB    NOT NULL,
    part    INTEGER NOT NULL,
    source  BLOB    NOT NULL,
    space   BLOB    NOT NULL REFERENCES space (id) ON DELETE CASCADE,
    object  TEXT    NOT NULL UNIQUE,
    size    INTEGER NOT NULL,
    used    INTEGER NOT NULL,
    PRIMARY KEY (id, part, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX attachment_space ON attachment (space, used);
CREATE INDEX attachment_used ON attachment (used) WHERE source <> x'';
CREATE TRIGGER attachment_grows AFTER INSERT ON attachment BEGIN
    UPDATE space_use SET attachment_bytes = attachment_bytes + NEW.size WHERE space = NEW.space;
END;
CREATE TRIGGER attachment_shrinks AFTER DELETE ON attachment BEGIN
    UPDATE space_use SET attachment_bytes = attachment_bytes - OLD.size WHERE space = OLD.space;
    INSERT INTO stale_object VALUES (OLD.object, OLD.space, OLD.size, 0);
END;

-- Objects that no row names, or none yet: removed from the object store at `due`. Until then they
-- count for the space that they were written for.
CREATE TABLE stale_object (
    name  TEXT    PRIMARY KEY NOT NULL,
    space BLOB    NOT NULL,
    size  INTEGER NOT NULL,
    due   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX stale_object_due ON stale_object (due);
CREATE INDEX stale_object_space ON stale_object (space, due);
CREATE TRIGGER stale_object_grows AFTER INSERT ON stale_object BEGIN
    UPDATE space_use SET attachment_bytes = attachment_bytes + NEW.size WHERE space = NEW.space;
END;
CREATE TRIGGER stale_object_shrinks AFTER DELETE ON stale_object BEGIN
    UPDATE space_use SET attachment_bytes = attachment_bytes - OLD.size WHERE space = OLD.space;
END;
