package incident_test

import (
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestDriftIsWhatDiffersAtTheProduct(t *testing.T) {
	device, err := incident.DeviceTarget("ws-042", "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	const key = "lease/rate_limit/gateway/ws-042"
	as := incident.Reading{Stands: true, Key: key, Rate: 2_000_000}
	for _, tt := range []struct {
		name string
		edit func(*incident.Lease, *incident.Reading)
		want []string
	}{
		{"as it should be", func(*incident.Lease, *incident.Reading) {}, nil},
		{"gone", func(_ *incident.Lease, r *incident.Reading) { *r = incident.Reading{} }, []string{"gone: the limit is gone from gateway"}},
		{"rounded by the product", func(_ *incident.Lease, r *incident.Reading) { r.Rate = 1_990_000 }, nil},
		{"another rate", func(_ *incident.Lease, r *incident.Reading) { r.Rate = 5_000_000 }, []string{"rate: its rate is 5 Mbit/s, not 2 Mbit/s"}},
		{"a lower rate", func(_ *incident.Lease, r *incident.Reading) { r.Rate = 1_000_000 }, []string{"rate: its rate is 1 Mbit/s, not 2 Mbit/s"}},
		{"no rate", func(_ *incident.Lease, r *incident.Reading) { r.Rate = 0 }, []string{"rate: its rate is 0 bit/s, not 2 Mbit/s"}},
		{
			"another key and copies", func(_ *incident.Lease, r *incident.Reading) { r.Key, r.Copies = "", 2 },
			[]string{"key: the limit that is in place at gateway is somebody else's", "copies: it is in place 2 times"},
		},
		{"not carried out yet", func(l *incident.Lease, r *incident.Reading) {
			l.Phase, *r = incident.Holding, incident.Reading{Pending: true}
		}, nil},
		{"accepted and nowhere", func(l *incident.Lease, r *incident.Reading) {
			l.Phase, *r = incident.Holding, incident.Reading{}
		}, []string{"gone: the limit is gone from gateway"}},
		{"being lifted by somebody", func(_ *incident.Lease, r *incident.Reading) { *r = incident.Reading{Pending: true} }, []string{"gone: the limit is gone from gateway"}},
		{"changed, or not told to all", func(_ *incident.Lease, r *incident.Reading) { *r = incident.Reading{Pending: true, Key: key} }, []string{"gone: the limit is not in force at gateway, or not all of it"}},
		{"being undone", func(l *incident.Lease, r *incident.Reading) { l.Phase, *r = incident.Undoing, incident.Reading{} }, nil},
		{"being applied", func(l *incident.Lease, r *incident.Reading) { l.Phase, *r = incident.Applying, incident.Reading{} }, nil},
		{"adopted, and changed", func(l *incident.Lease, r *incident.Reading) { l.Adopted, r.Key, r.Rate = true, "", 9 }, nil},
		{"adopted, and gone", func(l *incident.Lease, r *incident.Reading) { l.Adopted, *r = true, incident.Reading{} }, []string{"gone: the limit is gone from gateway"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := incident.Lease{
				ID: key, Use: "gateway", Phase: incident.Confirmed,
				Order: incident.Order{Key: key, Action: incident.RateLimit, Target: device, Rate: 2_000_000},
			}
			r := as
			tt.edit(&l, &r)
			var got []string
			for _, d := range l.Drift(r) {
				if d.Lease != key || d.Use != "gateway" || d.Host != "ws-042" {
					t.Errorf("it does not say of what: %+v", d)
				}
				got = append(got, string(d.Kind)+": "+d.Detail)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
