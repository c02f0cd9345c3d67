//go:build duckdb

package duckdb

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
)

// plausible is the part of [address]'s condition on a record's addresses that SQL
// can check.
const plausible = `regexp_full_match(src, '[0-9a-fA-F.:]+(%.*)?') AND regexp_full_match(dst, '[0-9a-fA-F.:]+(%.*)?')`

// damaged counts the lines that are not records. DuckDB passes over
// them silently, so the lines are compared with the records. An unfinished line at
// the end of a file is not counted: a sensor may be writing it.
// Parquet has no lines, and a damaged file of it fails every query.
func damaged(ctx context.Context, db *sql.DB, parts []part) (int64, error) {
	var n int64
	for _, p := range parts {
		if p.columnar() {
			continue
		}
		// Records that are written meanwhile must not look damaged, so lines are counted first.
		var lines, records int64
		for _, f := range p.files {
			some, err := linesOf(ctx, f, p.format == ZeekTSV)
			if err != nil {
				return 0, err
			}
			lines += some
		}
		err := db.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) FROM (%s) WHERE %s", p.flows("true"), plausible)).Scan(&records)
		if err != nil {
			return 0, err
		}
		n += max(0, lines-records)
	}
	return n, nil
}

// linesOf counts the lines of a file that are not blank, without comments where
// the format has any.
func linesOf(ctx context.Context, f file, comments bool) (n int64, err error) {
	err = f.read(func(r io.Reader) error {
		lines := bufio.NewReaderSize(r, maxHead)
		begun, counts := false, false
		for {
			text, err := lines.ReadSlice('\n')
			if !begun && len(bytes.TrimSpace(text)) > 0 {
				begun, counts = true, !comments || text[0] != '#'
			}
			switch {
			case errors.Is(err, bufio.ErrBufferFull):
				continue
			case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // a sensor is still writing it
				return nil
			case err != nil:
				return err
			case counts:
				n++
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			begun, counts = false, false
		}
	})
	return n, err
}
