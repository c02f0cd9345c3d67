package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/stanch-soar/stanch/integrations"
)

// applicationID marks the file as a flow store: "STNF".
const applicationID = 0x53544e46

// migrations bring a store from one schema version to the next; the version is
// how many of them were applied. A migration that was released never changes.
func migrations() []string {
	return []string{`
-- One row holds up to blockRecords flows that have an end in the bucket, with
-- the minutes that they make up. The flows come last, so that reading the
-- minutes does not touch their pages.
CREATE TABLE block (
  id      INTEGER PRIMARY KEY,
  bucket  INTEGER NOT NULL,
  first   INTEGER NOT NULL,
  last    INTEGER NOT NULL,
  minutes BLOB NOT NULL,
  flows   BLOB NOT NULL
);
CREATE INDEX block_time ON block (bucket, last, first);
CREATE TABLE sensor (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);
-- The one row tells what the store holds.
CREATE TABLE span (
  id      INTEGER PRIMARY KEY CHECK (id = 1),
  oldest  INTEGER NOT NULL,
  newest  INTEGER NOT NULL,
  records INTEGER NOT NULL
);
-- One row per stream that was imported: its beginning identifies it, length
-- and digest are of what was read of it, unpacked.
CREATE TABLE source (
  id          INTEGER PRIMARY KEY,
  name        TEXT NOT NULL,
  head_length INTEGER NOT NULL,
  head        BLOB NOT NULL,
  length      INTEGER NOT NULL,
  digest      BLOB NOT NULL,
  shift       INTEGER NOT NULL,
  records     INTEGER NOT NULL,
  bad         INTEGER NOT NULL
);
CREATE INDEX source_head ON source (head, head_length);
`, `
-- A time of which a sensor says that it has no records.
CREATE TABLE gap (
  sensor INTEGER NOT NULL,
  first  INTEGER NOT NULL,
  last   INTEGER NOT NULL,
  why    TEXT NOT NULL,
  PRIMARY KEY (last, first, sensor)
) WITHOUT ROWID;
-- Who sent from an address, as a sensor says, in the hour in which the flows ended.
CREATE TABLE sender (
  address BLOB NOT NULL,
  hour    INTEGER NOT NULL,
  sensor  INTEGER NOT NULL,
  device  TEXT NOT NULL,
  user    TEXT NOT NULL,
  first   INTEGER NOT NULL,
  last    INTEGER NOT NULL,
  PRIMARY KEY (address, hour, sensor, device, user)
) WITHOUT ROWID;
`}
}

// opener opens the file once, at the first use that succeeds.
type opener struct {
	mu     sync.Mutex
	pools  *pools
	closed bool
}

type pools struct{ write, read *sql.DB }

func (o *opener) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if o.pools == nil {
		return nil
	}
	err := errors.Join(o.pools.read.Close(), o.pools.write.Close())
	o.pools = nil
	return err
}

// dbs opens the file unless it is open, and brings its schema up to date.
func (s *Store) dbs(ctx context.Context) (*pools, error) {
	const op = "open the flow store"
	s.open.mu.Lock()
	defer s.open.mu.Unlock()
	if s.open.closed {
		return nil, integrations.Errorf(integrations.Unavailable, op, "the store is closed")
	}
	if s.open.pools != nil {
		return s.open.pools, nil
	}
	write, read, err := connect(s.path)
	if err != nil {
		return nil, integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	if err := migrate(ctx, write, migrations()); err != nil {
		_ = errors.Join(read.Close(), write.Close())
		return nil, failed(op, err)
	}
	s.open.pools = &pools{write, read}
	return s.open.pools, nil
}

// migrate checks that the file is ours and of a known version, and applies the
// missing migrations in one transaction.
func migrate(ctx context.Context, db *sql.DB, steps []string) error {
	const op = "open the flow store"
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	var id, version, tables int
	for query, into := range map[string]*int{
		`PRAGMA application_id`:              &id,
		`PRAGMA user_version`:                &version,
		`SELECT count(*) FROM sqlite_schema`: &tables,
	} {
		if err := tx.QueryRowContext(ctx, query).Scan(into); err != nil {
			return err
		}
	}
	switch {
	case id != applicationID && (tables > 0 || id != 0 || version != 0):
		return integrations.Errorf(integrations.Invalid, op, "the file is a database of another program")
	case version > len(steps):
		return integrations.Errorf(integrations.Invalid, op,
			"the file has schema version %d, this program knows %d: use a newer program", version, len(steps))
	case version == len(steps):
		return nil
	}
	for _, step := range steps[version:] {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, pragmas(len(steps))); err != nil {
		return err
	}
	return tx.Commit()
}

// pragmas marks the file; SQLite takes no parameters there.
func pragmas(version int) string {
	return fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = %d`, applicationID, version)
}
