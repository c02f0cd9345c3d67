package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowlog"
)

// headLength is how much of a stream's beginning identifies it.
const headLength = 4096

// source is the ledger's entry of one stream: its beginning identifies it, length
// and digest are of what was read of it, unpacked. The digest is checked before
// anything is skipped.
type source struct {
	id     int64 // 0 until it is in the ledger
	head   []byte
	size   int // of the head
	length int64
	digest []byte
	shift  time.Duration
}

// sourcesLike returns the ledger's streams that begin like head, shortest
// first.
func sourcesLike(ctx context.Context, tx *sql.Tx, head []byte) ([]source, error) {
	sizes, err := headSizes(ctx, tx, len(head))
	if err != nil {
		return nil, err
	}
	var found []source
	for _, size := range sizes {
		sum := sha256.Sum256(head[:size])
		some, err := sourcesWith(ctx, tx, sum[:], size)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	slices.SortFunc(found, func(a, b source) int { return int(min(1, max(-1, a.length-b.length))) })
	return found, nil
}

// headSizes returns the lengths of beginnings that fit into the stream: a
// stream that was shorter than headLength may have grown since.
func headSizes(ctx context.Context, tx *sql.Tx, most int) ([]int, error) {
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT head_length FROM source WHERE head_length <= ?`, most)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var sizes []int
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		sizes = append(sizes, n)
	}
	return sizes, rows.Err()
}

func sourcesWith(ctx context.Context, tx *sql.Tx, head []byte, size int) ([]source, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, length, digest, shift FROM source WHERE head = ? AND head_length = ?`, head, size)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var found []source
	for rows.Next() {
		s := source{head: head, size: size}
		if err := rows.Scan(&s.id, &s.length, &s.digest, &s.shift); err != nil {
			return nil, err
		}
		found = append(found, s)
	}
	return found, rows.Err()
}

// resume moves the reader behind what was imported of its stream before, and
// returns the ledger's entry of it. Matched is false when no entry's digest
// fits; the reader may then have moved.
func resume(ctx context.Context, r *flowlog.Reader, known []source) (of source, matched bool, err error) {
	for _, s := range known {
		if err := ctx.Err(); err != nil {
			return source{}, false, err
		}
		if err := r.SkipTo(s.length); err != nil {
			return source{}, false, err
		}
		if r.Offset() == s.length && bytes.Equal(r.Sum(), s.digest) {
			of, matched = s, true
		}
	}
	if matched && r.Offset() != of.length {
		// A longer stream has the same beginning, but is another one.
		return of, false, nil
	}
	if matched {
		r.FinishLine()
	}
	return of, matched, nil
}

// record writes how far the stream was read, in the transaction that writes its
// flows. Another import of the same stream that came first is a conflict.
func (s *source) record(ctx context.Context, tx *sql.Tx, r *flowlog.Reader, name string, done ImportResult) error {
	length, digest := r.Offset(), r.Sum()
	if s.id == 0 {
		return s.insert(ctx, tx, length, digest, name, done)
	}
	result, err := tx.ExecContext(ctx, `UPDATE source SET name = ?, length = ?, digest = ?, records = records + ?, bad = bad + ?
		WHERE id = ? AND length = ?`, name, length, digest, done.Records, done.Bad, s.id, s.length)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil {
		return err
	} else if n != 1 {
		return otherImport(name)
	}
	s.length, s.digest = length, digest
	return nil
}

func (s *source) insert(ctx context.Context, tx *sql.Tx, length int64, digest []byte, name string, done ImportResult) error {
	var same int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM source WHERE head = ? AND head_length = ? AND length = ? AND digest = ?`,
		s.head, s.size, length, digest).Scan(&same)
	if err != nil {
		return err
	}
	if same > 0 {
		return otherImport(name)
	}
	result, err := tx.ExecContext(ctx, `INSERT INTO source (name, head_length, head, length, digest, shift, records, bad)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`, name, s.size, s.head, length, digest, int64(s.shift), done.Records, done.Bad)
	if err != nil {
		return err
	}
	s.length, s.digest = length, digest
	s.id, err = result.LastInsertId()
	return err
}

func otherImport(name string) error {
	return integrations.Errorf(integrations.Conflict, "import "+name, "another import of the same file is under way")
}
