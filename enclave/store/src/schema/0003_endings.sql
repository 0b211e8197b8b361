-- Which link a connection was begun with, what was heard last in it, and how it has ended. The rules of 0001 hold here too.

-- How a connection has ended, as the wire counts.
ALTER TABLE connections ADD COLUMN ended INTEGER;

-- Digest of the token of the link that this owner has used; none where this vault has invited.
ALTER TABLE connections ADD COLUMN token BLOB;
CREATE INDEX connections_by_token ON connections (token) WHERE token IS NOT NULL;

-- Marks of what was applied last in a connection, so that what took its place is told from something else.
CREATE TABLE heard (
  connection BLOB NOT NULL,
  sequence INTEGER NOT NULL,
  mark BLOB NOT NULL,
  PRIMARY KEY (connection, sequence)
) STRICT, WITHOUT ROWID;
