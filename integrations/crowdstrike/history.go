package crowdstrike

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// history are the addresses that a device had.
type history struct {
	ID      string  `json:"device_id"`
	Entries []noted `json:"history"`
}

// noted is an address of one of the device's interfaces, and when Falcon took note of
// it. Not documented: whether that is the begin or the end of the time in which the
// device had it. It is read as the begin, as a record of changes has it.
type noted struct {
	IP  string `json:"ip_address"`
	MAC string `json:"mac_address"`
	At  string `json:"timestamp"`
}

const (
	historyPath = "/devices/combined/devices/network-address-history/v1"
	// justNow is how old an alert may be for the device's present addresses to be those
	// of its time.
	justNow = 2 * time.Minute
	// alongside is how far apart the notes about several interfaces may be that the
	// device got their addresses for at once, such as when it started.
	alongside = 10 * time.Minute
)

// histories reads the addresses that devices had. One without a history is absent.
func (f *Falcon) histories(ctx context.Context, op string, ids []string) (map[string][]noted, error) {
	out, err := ask[history](ctx, f, call{
		op: op, method: http.MethodPost, path: historyPath, body: map[string][]string{"ids": ids},
	})
	if err != nil {
		return nil, err
	}
	found := map[string][]noted{}
	for _, h := range out.Resources {
		found[strings.ToLower(h.ID)] = h.Entries
	}
	return found, nil
}

// addressesAt are the addresses of a device at a time, by what Falcon noted of it: the
// newest one from before, and those of other interfaces that it got with it. An
// interface that was noted long before may have lost its address since.
func addressesAt(notes []noted, at time.Time) incident.Value[[]string] {
	type note struct {
		noted
		at time.Time
	}
	var before []note
	for _, s := range notes {
		when, err := time.Parse(time.RFC3339, s.At)
		if err == nil && !when.After(at) && len(canonical(s.IP)) > 0 {
			before = append(before, note{s, when})
		}
	}
	if len(before) == 0 {
		return incident.NotKnown[[]string]("Falcon's history of the device's addresses says nothing of the time")
	}
	slices.SortStableFunc(before, func(a, b note) int { return cmp.Compare(b.at.UnixNano(), a.at.UnixNano()) })
	var had []string
	of := map[string]bool{}
	for _, n := range before {
		mac := strings.ToLower(n.MAC)
		if before[0].at.Sub(n.at) > alongside || of[mac] {
			continue
		}
		of[mac] = true
		had = append(had, n.IP)
	}
	return incident.Known(canonical(had...), incident.FromEDR)
}
