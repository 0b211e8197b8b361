-- What admitted peers have proven and the admin audit tells of already. Bounded, as the audit is not.
CREATE TABLE audited_peer (
    node        BLOB    NOT NULL,
    release     INTEGER NOT NULL,
    measurement BLOB    NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (node, release, measurement)
) STRICT, WITHOUT ROWID;
CREATE INDEX audited_peer_at ON audited_peer (at);
INSERT OR IGNORE INTO audited_peer
    SELECT node, release, measurement, since FROM peer
    WHERE node IS NOT NULL AND measurement <> x'';
