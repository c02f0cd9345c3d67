package defenderfake

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/integrations/edrtest/kql"
)

// archive gives the rows of the tables to one query.
type archive struct {
	d        *Double
	from, to time.Time
	bounded  bool // the request has a Timespan
}

// record is a row by its columns. Timestamp and the columns of the device are set
// by the archive.
type record struct {
	at     time.Time
	values map[string]any
}

// rows are those of a table within bounds. They come in no order, as the product's.
func (a *archive) rows(table string, b kql.Bounds) [][]any {
	a.check(table, b)
	from, to := later(a.from, b.From), a.to
	if !b.To.IsZero() && b.To.Before(to) {
		to = b.To
	}
	// What has happened since is not there yet.
	if known := a.d.world.Now().Add(-a.d.o.HuntingLag); known.Before(to) {
		to = known
	}
	columns, _ := columnsOf(table)
	type keyed struct {
		key uint32
		row []any
	}
	var found []keyed
	for _, h := range a.d.world.Hosts() {
		if !among(h.ID, b.Equal, "DeviceId") || !among(dnsName(h), b.Equal, "DeviceName") || !a.d.managed(h) || !meant(h, b) {
			continue
		}
		for i, r := range a.records(table, h, from, to) {
			if r.at.Before(from) || r.at.After(to) {
				continue
			}
			r.values["Timestamp"], r.values["DeviceId"], r.values["DeviceName"] = r.at, h.ID, dnsName(h)
			r.values["ReportId"] = int64(i + 1)
			hash := fnv.New32a()
			_, _ = hash.Write([]byte(h.ID + strconv.Itoa(i)))
			found = append(found, keyed{hash.Sum32(), inOrder(columns, r.values)})
		}
	}
	slices.SortStableFunc(found, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
	rows := make([][]any, len(found))
	for i, f := range found {
		rows[i] = f.row
	}
	return rows
}

// check fails the test where a query reads the whole fleet or all times: it would
// cost a tenant its processor time, and answer about the wrong devices.
func (a *archive) check(table string, b kql.Bounds) {
	if b.None {
		return
	}
	if !a.bounded && b.From.IsZero() {
		a.d.fail("hunting: a query reads %s without a bound of time", table)
	}
	_, byID := b.Equal["DeviceId"]
	_, byName := b.Equal["DeviceName"]
	byName = byName || len(b.Begins["DeviceName"]) > 0
	// Which device had an address is asked of every device.
	byAddress := table == "DeviceNetworkInfo" && len(b.Terms["IPAddresses"]) > 0
	if !byID && !byName && !byAddress {
		a.d.fail("hunting: a query reads %s of every device", table)
	}
}

func among(value string, equal map[string][]string, column string) bool {
	values, bounded := equal[column]
	return !bounded || slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, value) })
}

// meant reports whether a device can have rows within the bounds, by its name and its
// addresses: what a large fleet reports in a day is too much to be made for each query.
func meant(h edrtest.Host, b kql.Bounds) bool {
	begins := func(with string) bool { return strings.HasPrefix(strings.ToLower(dnsName(h)), strings.ToLower(with)) }
	has := func(part string) bool {
		return slices.ContainsFunc(h.Addresses, func(a edrtest.Address) bool { return strings.Contains(a.IP, part) })
	}
	names, addresses := b.Begins["DeviceName"], b.Terms["IPAddresses"]
	return (len(names) == 0 || slices.ContainsFunc(names, begins)) && (len(addresses) == 0 || slices.ContainsFunc(addresses, has))
}

func inOrder(columns []kql.Column, values map[string]any) []any {
	row := make([]any, len(columns))
	for i, c := range columns {
		v, ok := values[c.Name]
		if at, isTime := v.(time.Time); isTime && at.IsZero() {
			ok = false
		}
		switch {
		case ok:
			row[i] = v
		case c.Type == kql.String:
			row[i] = ""
		}
	}
	return row
}

func (a *archive) records(table string, h edrtest.Host, from, to time.Time) []record {
	switch table {
	case "DeviceNetworkEvents":
		return a.connections(h)
	case "DeviceProcessEvents":
		return a.processes(h)
	case "DeviceEvents":
		return a.scripts(h)
	case "DeviceLogonEvents":
		return a.logons(h)
	case "DeviceInfo":
		return a.states(h, from, to)
	case "DeviceFileCertificateInfo":
		return certificates(h)
	}
	return a.adapters(h, from, to)
}
