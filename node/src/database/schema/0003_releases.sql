-- Releases of the enclave that this node knows, and what it keeps for each. All of it is sealed, or
-- public. `served`: it has served here.
CREATE TABLE release (
    number      INTEGER PRIMARY KEY NOT NULL,
    served      INTEGER NOT NULL DEFAULT 0,
    sealed_root BLOB,
    inheritance BLOB,
    offer       BLOB
) STRICT;

-- What an earlier release hands over to an image of a later one.
CREATE TABLE handover (
    earlier  INTEGER NOT NULL,
    later    INTEGER NOT NULL,
    image    BLOB    NOT NULL,
    handover BLOB    NOT NULL,
    PRIMARY KEY (earlier, later, image)
) STRICT;
