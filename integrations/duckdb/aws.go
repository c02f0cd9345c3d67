//go:build duckdb

package duckdb

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The columns of AWS that are in no other format.
const (
	awsAction, awsStatus = "action", "log_status"
	awsSrc, awsDst       = "srcaddr", "dstaddr"
	// The packets' own addresses, where the interface forwards for others.
	awsPacketSrc, awsPacketDst = "pkt_srcaddr", "pkt_dstaddr"

	// awsPassed selects what left or came in: not what was rejected, nor a time without records.
	awsPassed = `coalesce("log_status", 'OK') = 'OK' AND coalesce("action", '') <> 'REJECT'`
	// awsLongest is more than the time that a record is ever of, ten minutes.
	awsLongest = time.Hour
)

func awsColumns() Columns {
	return Columns{
		Start: "start", End: "end", Src: awsSrc, SrcPort: "srcport", Dst: awsDst, DstPort: "dstport", Transport: "protocol",
		OrigIPBytes: "bytes", OrigPackets: "packets", Sensor: "interface_id",
	}
}

// awsTime is the time in the name of a file: its records ended in the five minutes from it on.
// Later ones are not excluded, for AWS delivers as best it can.
func awsTime(name string) (time.Time, bool) {
	text := awsStamp().FindString(name)
	at, err := time.Parse("_20060102T1504Z_", text)
	return at, text != "" && err == nil
}

// awsStamp is compiled once, for there may be many thousand names.
var awsStamp = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`_\d{8}T\d{4}Z_`) })

// packets is the files with the packets' addresses in the place of the interface's, where a record
// has both.
func (p part) packets() string {
	if p.types[awsPacketSrc] != "VARCHAR" || p.types[awsPacketDst] != "VARCHAR" {
		return p.source
	}
	return strings.NewReplacer("{files}", p.source, "{src}", awsSrc, "{dst}", awsDst, "{from}", awsPacketSrc, "{to}", awsPacketDst).Replace(
		`(SELECT * REPLACE (CASE WHEN forwarded THEN {from} ELSE {src} END AS {src}, CASE WHEN forwarded THEN {to} ELSE {dst} END AS {dst}) FROM
			(SELECT *, coalesce({from}, '') NOT IN ('', '-') AND coalesce({to}, '') NOT IN ('', '-') AS forwarded FROM {files}))`)
}

// gaps returns the times in a window of which AWS says that it has no records.
func (v *seen) gaps(ctx context.Context, w window) ([]flowmath.Gap, error) {
	var found []flowmath.Gap
	for _, p := range v.parts {
		if p.format != AWSVPC {
			continue
		}
		some, err := v.gapsOf(ctx, p, w)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return found, nil
}

func (v *seen) gapsOf(ctx context.Context, p part, w window) ([]flowmath.Gap, error) {
	after := int64(0)
	if !w.from.IsZero() {
		after = w.from.Unix()
	}
	rows, err := v.db.QueryContext(ctx, fmt.Sprintf(`SELECT DISTINCT coalesce("interface_id", ''), "start", "end" FROM %s
		WHERE "log_status" = 'SKIPDATA' AND "end" > %d AND "start" < %d ORDER BY ALL`, p.source, after, w.to.Unix()))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var found []flowmath.Gap
	for rows.Next() {
		var sensor string
		var from, to int64
		if err := rows.Scan(&sensor, &from, &to); err != nil {
			return nil, err
		}
		found = append(found, flowmath.Gap{From: time.Unix(from, 0), To: time.Unix(to, 0), Sensor: sensor, Why: "it skipped data"})
	}
	return found, rows.Err()
}

// missing returns the gaps of the sensors that see the host; of a host that none has seen, those of
// all.
func (s *Store) missing(ctx context.Context, v *seen, h flowmath.Host, w window) ([]flowmath.Gap, error) {
	if len(v.skipped) == 0 {
		return nil, nil
	}
	heard := window{w.to.Add(-flowmath.Hearing), w.to}
	if w.from.Before(heard.from) {
		heard.from = w.from
	}
	parts, err := s.parts(ctx, v.db, until(since(v.files, heard.from), w.to))
	if err != nil {
		return nil, err
	}
	sensors := map[string]bool{}
	earlier := &seen{db: v.db, parts: parts, bounds: v.bounds}
	for _, fromSource := range []bool{true, false} {
		if len(parts) == 0 {
			break
		}
		table, args := earlier.table(heard, h.Addrs, fromSource)
		names, err := earlier.names(ctx, "SELECT DISTINCT sensor FROM ("+table+")", args)
		if err != nil {
			return nil, err
		}
		maps.Insert(sensors, maps.All(names))
	}
	return slices.DeleteFunc(slices.Clone(v.skipped), func(g flowmath.Gap) bool {
		return !g.From.Before(w.to) || !g.To.After(w.from) || len(sensors) > 0 && g.Sensor != "" && !sensors[g.Sensor]
	}), nil
}

// names reads one column.
func (v *seen) names(ctx context.Context, query string, args []any) (map[string]bool, error) {
	rows, err := v.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	all := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		all[name] = true
	}
	return all, rows.Err()
}

// lacking adds to an answer what is missing in it.
func (s *Store) lacking(ctx context.Context, v *seen, t incident.Traffic, h flowmath.Host, w window) (incident.Traffic, error) {
	gaps, err := s.missing(ctx, v, h, w)
	if err != nil {
		return incident.Traffic{}, err
	}
	flowmath.Lacking(&t, gaps)
	return t, nil
}
