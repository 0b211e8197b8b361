-- One row per record of a vault's log. Clustered in order of arrival, so a batch touches few pages.
CREATE TABLE record (
    space      BLOB    NOT NULL,
    number     INTEGER NOT NULL,
    checkpoint INTEGER NOT NULL,
    bytes      BLOB    NOT NULL,
    UNIQUE (space, number)
) STRICT;
-- Where logs may begin; few rows, so appends of other records do not touch it.
CREATE INDEX record_checkpoint ON record (space, number) WHERE checkpoint = 1;

-- What the node must remember about itself, such as its enclave's identity.
CREATE TABLE fact (
    name  TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One-time invitations. Only hashes of the two halves of a token are kept.
CREATE TABLE invitation (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    label      TEXT    NOT NULL,
    http_hash  BLOB    NOT NULL UNIQUE,
    vault_hash BLOB    NOT NULL,
    created    INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    revoked    INTEGER,
    used       INTEGER
) STRICT;

-- One row per vault at this node; `state` is pending, active or suspended.
CREATE TABLE space (
    id         BLOB    PRIMARY KEY NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('pending', 'active', 'suspended')),
    invitation INTEGER NOT NULL REFERENCES invitation (id),
    vault_hash BLOB    NOT NULL,
    created    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A device's routing id and its key on the bus.
CREATE TABLE device (
    route    BLOB    PRIMARY KEY NOT NULL,
    space    BLOB    NOT NULL REFERENCES space (id) ON DELETE CASCADE,
    user_key TEXT    NOT NULL UNIQUE,
    added    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX device_space ON device (space);

-- Bus credentials issued up to `at` are void; kept until the last of them has expired.
CREATE TABLE revocation (
    user_key TEXT    PRIMARY KEY NOT NULL,
    at       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the operator did, each row hashed over its predecessor.
CREATE TABLE admin_audit (
    number   INTEGER PRIMARY KEY NOT NULL,
    at       INTEGER NOT NULL,
    action   TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    previous BLOB    NOT NULL,
    hash     BLOB    NOT NULL
) STRICT;
CREATE TRIGGER admin_audit_is_not_changed BEFORE UPDATE ON admin_audit
BEGIN SELECT raise(ABORT, 'the admin audit is append-only'); END;
CREATE TRIGGER admin_audit_is_not_removed BEFORE DELETE ON admin_audit
BEGIN SELECT raise(ABORT, 'the admin audit is append-only'); END;

-- Scratch for the test whether the disk takes writes; always empty.
CREATE TABLE probe (filler BLOB NOT NULL) STRICT;

-- Removed spaces whose objects are still to be removed.
CREATE TABLE object_removal (space BLOB PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID;
