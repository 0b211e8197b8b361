-- Rules of every table here, because sessions record changes by primary key and replay must repeat
-- exactly what happened: STRICT, a NOT NULL primary key, no trigger, no foreign key, no uniqueness
-- beside the primary key, no AUTOINCREMENT, no default that depends on time or chance.
-- A flag is NULL or 1: in a record NULL takes one byte, a number nine.
-- Small rows are kept WITHOUT ROWID. Rows that can be large are not: to compare keys there, SQLite
-- would read whole rows. Of the rowid that they have instead only the order counts, which is that
-- of insertion.

-- Vault that this database belongs to. One row.
CREATE TABLE vault (
  one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
  id BLOB NOT NULL,
  created INTEGER NOT NULL
) STRICT;

-- Identity keys in the order of their succession; only the newest has its seed.
CREATE TABLE identities (
  number INTEGER NOT NULL PRIMARY KEY,
  public BLOB NOT NULL,
  since INTEGER NOT NULL,
  statement BLOB,
  seed BLOB
) STRICT;

-- Short numbers of devices, so that other rows need not repeat 32 bytes. The devices themselves
-- are in the header.
CREATE TABLE devices (
  number INTEGER NOT NULL PRIMARY KEY,
  id BLOB NOT NULL
) STRICT;

-- The Protean Credential. One row. A use whose outcome is not on record yet: when, by whom, for
-- which operation.
CREATE TABLE credential (
  one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
  version INTEGER NOT NULL,
  public BLOB NOT NULL,
  cek BLOB NOT NULL,
  mac_key BLOB NOT NULL,
  digest BLOB NOT NULL,
  blob BLOB,
  blob_device INTEGER,
  frozen INTEGER,
  alarm INTEGER,
  failed INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  used INTEGER,
  used_by INTEGER,
  used_for TEXT
) STRICT;

-- One-time keys; a spent key has no row.
CREATE TABLE transaction_keys (
  id BLOB NOT NULL PRIMARY KEY,
  device INTEGER NOT NULL,
  secret BLOB NOT NULL,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Items as lists show them. What was written is in item_versions.
CREATE TABLE items (
  id BLOB NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  name TEXT NOT NULL,
  category INTEGER NOT NULL,
  sensitivity INTEGER NOT NULL,
  favorite INTEGER,
  created INTEGER NOT NULL,
  removed INTEGER
) STRICT, WITHOUT ROWID;

-- What was written, once: the current version is a row here too, and a replaced one does not move.
CREATE TABLE item_versions (
  item BLOB NOT NULL,
  version INTEGER NOT NULL,
  written INTEGER NOT NULL,
  device INTEGER NOT NULL,
  name TEXT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (item, version)
) STRICT;

CREATE TABLE tags (
  number INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  color TEXT,
  description TEXT
) STRICT;

CREATE TABLE item_tags (
  item BLOB NOT NULL,
  tag INTEGER NOT NULL,
  PRIMARY KEY (item, tag)
) STRICT, WITHOUT ROWID;

-- Keys of the owner; the private half is sealed under the Protean Credential.
CREATE TABLE keys (
  id BLOB NOT NULL PRIMARY KEY,
  label TEXT NOT NULL,
  algorithm INTEGER NOT NULL,
  public BLOB NOT NULL,
  created INTEGER NOT NULL,
  imported INTEGER,
  sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Replies to repeat when a request is repeated. They come in the order of time.
CREATE TABLE requests (
  device INTEGER NOT NULL,
  id BLOB NOT NULL,
  digest BLOB NOT NULL,
  reply BLOB NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (device, id)
) STRICT;

CREATE TABLE feed (
  sequence INTEGER NOT NULL PRIMARY KEY,
  at INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  device INTEGER,
  read INTEGER
) STRICT;

-- What was done, chained by hash. No content.
CREATE TABLE audit (
  sequence INTEGER NOT NULL PRIMARY KEY,
  at INTEGER NOT NULL,
  operation TEXT NOT NULL,
  device INTEGER,
  subject BLOB,
  refused INTEGER,
  hash BLOB NOT NULL
) STRICT;
