package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/library"
)

// measured is the shipped playbook whose decisions are timed.
const measured = "high-egress-windows"

// policy times loading and deciding with the shipped playbook. Two facts are
// unknown, so that the three-valued path is the one that is measured.
func (b *bench) policy(ctx context.Context, _ *yardstick) error {
	all, err := library.Playbooks()
	if err != nil {
		return fmt.Errorf("load the library: %w", err)
	}
	for _, p := range all {
		if p.Name != measured {
			continue
		}
		b.result.Load, err = each(20, func() error {
			_, err := playbooks.Load(p.File(), p.Text())
			return err
		})
		if err != nil {
			return fmt.Errorf("load %s: %w", measured, err)
		}
		facts := flood()
		b.result.Decide, err = each(500, func() error {
			if d := p.Evaluate(ctx, facts, time.Now()); d.Outcome != incident.Decided {
				return fmt.Errorf("decided %s: %s", d.Outcome, d.Error)
			}
			return nil
		})
		return err
	}
	return fmt.Errorf("the library has no playbook %s", measured)
}

// each runs do n times and returns the mean time of one.
func each(n int, do func() error) (time.Duration, error) {
	began := time.Now()
	for range n {
		if err := do(); err != nil {
			return 0, err
		}
	}
	return time.Since(began) / time.Duration(n), nil
}

// flood are facts of a host that floods and that is not in the inventory.
func flood() incident.Facts {
	text := func(s string) incident.Value[string] { return incident.Known(s, incident.FromEDR) }
	number := func(n int64) incident.Value[int64] { return incident.Known(n, incident.FromFlows) }
	var f incident.Facts
	f.Alert.Category, f.Alert.Host.OS, f.Alert.Host.ID = text("high_egress"), text("windows"), text("ws-1")
	f.Endpoint.ID, f.Endpoint.Name, f.Endpoint.Role = text("ws-1"), text("ws-1"), text("workstation")
	f.Process.Path, f.Process.Signed = text(`C:\Users\a\flood.exe`), incident.Known(false, incident.FromEDR)
	f.Traffic.BytesOut, f.Traffic.Flows = number(4<<30), number(1000)
	f.Traffic.Role, f.Traffic.Attribution = text("requester"), text("exact")
	f.Traffic.Top = incident.Known([]incident.TopFlow{{IP: "203.0.113.7", Port: 53, Transport: "udp", Bytes: 4 << 30}}, incident.FromFlows)
	f.Baseline.Buckets, f.Baseline.P99 = number(1344), number(20<<20)
	incident.Explain(&f.Asset, "inventory: not found")
	return f
}
