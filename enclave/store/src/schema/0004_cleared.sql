-- Conversations that their owner has emptied. The rules of 0001 hold here too.

-- Up to which place a conversation is empty, under the number of a change; whether rows of it are still to
-- be deleted. Places and changes are counted on from here, too.
CREATE TABLE cleared (
  conversation BLOB NOT NULL PRIMARY KEY,
  through INTEGER NOT NULL,
  change INTEGER NOT NULL,
  rest INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX cleared_by_change ON cleared (change);
CREATE INDEX cleared_with_rest ON cleared (conversation) WHERE rest IS NOT NULL;
