-- Other owners: invitations, connections, what is said, and what waits to be said. The rules of
-- 0001 hold here too. An index is no part of a record and is rebuilt where a record is replayed.

-- Where this vault is, and what it has signed about that. One row.
CREATE TABLE home (
  one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
  sequence INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  place BLOB NOT NULL,
  record BLOB NOT NULL
) STRICT;

-- Connection or group that an entry is about, as the wire encodes it.
ALTER TABLE feed ADD COLUMN conversation BLOB;
CREATE INDEX feed_unread ON feed (conversation)
  WHERE conversation IS NOT NULL AND read IS NULL;

-- Invitations to connect: digest of the token, secret half of the key while it can be used.
CREATE TABLE invitations (
  id BLOB NOT NULL PRIMARY KEY,
  class INTEGER NOT NULL,
  label TEXT,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  state INTEGER NOT NULL,
  connection BLOB,
  token BLOB NOT NULL,
  secret BLOB,
  card BLOB NOT NULL
) STRICT;

-- Connections as lists show them; where the other vault was; how far an agreement on keys has come.
CREATE TABLE connections (
  id BLOB NOT NULL PRIMARY KEY,
  state INTEGER NOT NULL,
  vault BLOB NOT NULL,
  inviter INTEGER,
  created INTEGER NOT NULL,
  active INTEGER NOT NULL,
  card BLOB NOT NULL,
  safety_code TEXT,
  verified INTEGER,
  alias TEXT,
  favorite INTEGER,
  archived INTEGER,
  muted INTEGER,
  no_read_receipts INTEGER,
  home BLOB NOT NULL,
  progress BLOB
) STRICT;
CREATE INDEX connections_by_vault ON connections (vault);
CREATE INDEX connections_by_activity ON connections (active);

CREATE TABLE connection_tags (
  connection BLOB NOT NULL,
  tag TEXT NOT NULL,
  PRIMARY KEY (connection, tag)
) STRICT, WITHOUT ROWID;

-- Keys and counters of a connection that has keys. They change with every message.
CREATE TABLE channels (
  connection BLOB NOT NULL PRIMARY KEY,
  mls BLOB NOT NULL,
  generation INTEGER NOT NULL,
  signer BLOB NOT NULL,
  peer BLOB NOT NULL,
  rotations INTEGER NOT NULL,
  resume BLOB NOT NULL,
  sent INTEGER NOT NULL,
  marked BLOB NOT NULL,
  received INTEGER NOT NULL,
  heard BLOB NOT NULL,
  gap INTEGER,
  owed INTEGER,
  healed INTEGER NOT NULL,
  worn INTEGER NOT NULL,
  renewing INTEGER,
  asked INTEGER,
  served INTEGER,
  stated INTEGER NOT NULL,
  resumed INTEGER NOT NULL,
  told INTEGER NOT NULL,
  pending BLOB,
  held INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX channels_with_gap ON channels (connection) WHERE gap IS NOT NULL;

-- What goes to other vaults, in order. Several rows may share a body. What is marked to be said again
-- has a body that counts no more, and no sequence. Where it goes is with the connection or the member.
CREATE TABLE outbox (
  number INTEGER NOT NULL PRIMARY KEY,
  delivery BLOB NOT NULL,
  vault BLOB NOT NULL,
  connection BLOB,
  sequence INTEGER,
  message BLOB,
  expires INTEGER NOT NULL,
  stored INTEGER,
  refused INTEGER,
  again INTEGER,
  said BLOB,
  body INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_by_delivery ON outbox (delivery);
CREATE INDEX outbox_by_connection ON outbox (connection);
CREATE INDEX outbox_by_member ON outbox (vault) WHERE connection IS NULL;
CREATE INDEX outbox_by_body ON outbox (body);
CREATE INDEX outbox_by_message ON outbox (message);
CREATE INDEX outbox_again ON outbox (number) WHERE again IS NOT NULL;

-- What is still to be sealed for connections, in order, because one record would not hold it all.
CREATE TABLE unsaid (
  number INTEGER NOT NULL PRIMARY KEY,
  connection BLOB NOT NULL,
  message BLOB,
  expires INTEGER NOT NULL,
  body INTEGER NOT NULL
) STRICT;
CREATE INDEX unsaid_by_body ON unsaid (body);
CREATE INDEX unsaid_by_connection ON unsaid (connection);

CREATE TABLE bodies (
  number INTEGER NOT NULL PRIMARY KEY,
  body BLOB NOT NULL
) STRICT;

-- Deliveries that were taken, so that a repeat is told from a new one: by id and a tag of what came,
-- since others can use an id again that they have seen. In the order of time, and numbered in each
-- conversation, which keeps so many.
CREATE TABLE taken (
  conversation BLOB NOT NULL,
  delivery BLOB NOT NULL,
  tag BLOB NOT NULL,
  at INTEGER NOT NULL,
  place INTEGER NOT NULL,
  PRIMARY KEY (conversation, delivery, tag)
) STRICT;
CREATE INDEX taken_by_conversation ON taken (conversation, place);

-- Deliveries of a connection that came too early, by sequence.
CREATE TABLE early (
  connection BLOB NOT NULL,
  place INTEGER NOT NULL,
  delivery BLOB NOT NULL,
  at INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (connection, place, delivery)
) STRICT;

-- Messages. A removed one keeps its row, so that its change is not lost on a device that was away.
-- Whoever sent it calls it by `said`, where another sender had the id before.
CREATE TABLE messages (
  id BLOB NOT NULL PRIMARY KEY,
  conversation BLOB NOT NULL,
  sequence INTEGER NOT NULL,
  change INTEGER NOT NULL,
  sender BLOB,
  sent INTEGER NOT NULL,
  received INTEGER,
  body BLOB,
  edited INTEGER,
  removed INTEGER,
  reply_to BLOB,
  receipt INTEGER,
  failed INTEGER,
  disappear_after INTEGER,
  disappears INTEGER,
  read INTEGER,
  said BLOB
) STRICT;
CREATE INDEX messages_by_place ON messages (conversation, sequence);
CREATE INDEX messages_by_change ON messages (change);
CREATE INDEX messages_by_said ON messages (said) WHERE said IS NOT NULL;
CREATE INDEX messages_unread ON messages (conversation)
  WHERE sender IS NOT NULL AND read IS NULL AND removed IS NULL;
CREATE INDEX messages_disappearing ON messages (disappears) WHERE disappears IS NOT NULL;
CREATE INDEX messages_removed ON messages (removed) WHERE removed IS NOT NULL;

-- Bytes that another owner has said in a conversation and that are kept.
CREATE TABLE weights (
  conversation BLOB NOT NULL,
  sender BLOB NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (conversation, sender)
) STRICT, WITHOUT ROWID;

-- Reactions; no sender (an empty one) stands for this vault.
CREATE TABLE reactions (
  message BLOB NOT NULL,
  sender BLOB NOT NULL,
  reaction TEXT NOT NULL,
  PRIMARY KEY (message, sender)
) STRICT, WITHOUT ROWID;

-- How far a message to a group has come, by member.
CREATE TABLE receipts (
  message BLOB NOT NULL,
  vault BLOB NOT NULL,
  receipt INTEGER NOT NULL,
  PRIMARY KEY (message, vault)
) STRICT, WITHOUT ROWID;

-- Groups: what the id follows from, in a group of this vault; whether its owner was invited and has not decided; whether the owner was told of being a
-- member; since when a change is missing, whether messages go on further than the keys of this vault
-- reach, and when it caught up last; when this vault asked to be added last, and how often; whether
-- members have to be put out, or this vault has lost the creator.
CREATE TABLE groups (
  id BLOB NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  creator BLOB,
  seed BLOB,
  member INTEGER,
  invited INTEGER,
  signer BLOB,
  told INTEGER,
  behind INTEGER,
  ahead INTEGER,
  caught INTEGER,
  asked INTEGER,
  asks INTEGER NOT NULL,
  due INTEGER,
  since INTEGER NOT NULL,
  active INTEGER NOT NULL
) STRICT;

-- Members but this vault. Their key is known once they are in; until then, or when they have lost
-- their keys, what they can be added with may wait. What they were added with last, as a digest, is not
-- used again. One that is gone is still to be put out.
CREATE TABLE group_members (
  conversation BLOB NOT NULL,
  vault BLOB NOT NULL,
  name TEXT NOT NULL,
  home BLOB,
  key BLOB,
  package BLOB,
  spent BLOB,
  added INTEGER,
  gone INTEGER,
  PRIMARY KEY (conversation, vault)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_members_by_vault ON group_members (vault);

-- State of MLS: what OpenMLS stores, by the conversation that it belongs to.
CREATE TABLE mls (
  conversation BLOB NOT NULL,
  kind INTEGER NOT NULL,
  key BLOB NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (conversation, kind, key)
) STRICT;
