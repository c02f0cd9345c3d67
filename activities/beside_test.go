package activities

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What an alert names and the EDR does not know is beside the device, however it is
// written; what no network knows a device by is not, and nothing is where the EDR tells no
// address.
func TestBesideIsWhatTheEDRDoesNotKnow(t *testing.T) {
	t.Parallel()
	known := incident.Endpoint{IP: incident.Known([]string{"10.20.4.42", "2001:0DB8::0042", "fe80::1%12"}, incident.FromEDR)}
	alert := incident.AlertHost{
		Name: incident.Known("2001:db8::9", incident.FromAlert),
		IP: incident.Known([]string{
			"::ffff:10.20.4.42", "2001:db8::42", "fe80::7", "127.0.0.1", "169.254.1.1", "2001:db8::8%eth0", "ff02::1", "2001:db8:0::7", "10.20.4.43",
		}, incident.FromAlert),
	}
	got := Beside(alert, []string{"2001:db8::5", "2001:db8::42"}, known)
	if want := []string{"2001:db8::5", "2001:db8::7", "10.20.4.43", "2001:db8::9"}; !slices.Equal(got, want) {
		t.Errorf("beside the device are %v, want %v", got, want)
	}
	if got := Beside(alert, nil, incident.Endpoint{}); got != nil {
		t.Errorf("an EDR that tells no address leaves %v beside the device, want nothing", got)
	}
}

// byAddress is a flow store that knows what left each address.
type byAddress struct {
	integrations.Flows
	sent map[string]int64
	err  error
}

func (b byAddress) Traffic(_ context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	sum := int64(0)
	for _, ip := range q.IPs {
		n, ok := b.sent[ip]
		if !ok && b.err != nil {
			return incident.Traffic{}, b.err
		}
		sum += n
	}
	return incident.Traffic{
		BytesOut: incident.Known(sum, incident.FromFlows), Rate: incident.Known(8*sum, incident.FromFlows),
		Freshness: incident.Known(q.To, incident.FromFlows),
	}, nil
}

func storeOf(b byAddress) *Activities {
	a := &Activities{Set: integrations.NewSet()}
	a.Set.Add("flows", integrations.Spec{Kind: "by address"}, b)
	return a
}

// A flood at an address of a family of which the EDR knows none must not be told as a quiet
// host. Another address of a family that it does know may be anybody's.
func TestTrafficBesideAHostIsNotQuiet(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)
	sent := map[string]int64{"10.0.0.1": 100, "10.0.0.2": 5000, "2001:db8::1": 7 << 20, "2001:db8::2": 0}
	for _, tt := range []struct {
		name        string
		ips, beside []string
		unknown     string
	}{
		{"nothing is beside it", []string{"10.0.0.1"}, nil, ""},
		{"the other family floods", []string{"10.0.0.1"}, []string{"2001:db8::1"}, "the alert names 2001:db8::1, which the EDR does not know as the device's, and 7 MiB left there"},
		{"the other family is quiet", []string{"10.0.0.1"}, []string{"2001:db8::2"}, ""},
		{"the EDR knows the family", []string{"10.0.0.1"}, []string{"10.0.0.2"}, ""},
		{"the EDR knows both families", []string{"10.0.0.1", "2001:db8::2"}, []string{"2001:db8::1"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := storeOf(byAddress{sent: sent}).getTraffic(t.Context(), EnrichIn{Use: "flows", IPs: tt.ips, Beside: tt.beside, At: at, Window: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			if got := out.Traffic.BytesOut; got.IsKnown() != (tt.unknown == "") || !strings.Contains(got.Why(), tt.unknown) {
				t.Errorf("the volume is %s, want it unknown: %q", got, tt.unknown)
			}
			if !out.Traffic.Freshness.IsKnown() {
				t.Error("how fresh the store is, is not known any more")
			}
		})
	}
}

// A rate beside the host is measured apart. That it cannot be measured is no rate of 0, and
// does not take away what was measured of the host.
func TestMeasureBesideAHost(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)
	in := MeasureIn{Use: "flows", IPs: []string{"10.0.0.1"}, Beside: []string{"2001:db8::1"}, From: at.Add(-time.Minute), To: at, Window: 10 * time.Second}
	measure := func(b byAddress, in MeasureIn) MeasureOut {
		t.Helper()
		out, err := storeOf(b).measure(t.Context(), in)
		if rate, _ := out.Rate.Get(); err != nil || rate != 800 {
			t.Errorf("of the host %s is measured, want 800: %v", out.Rate, err)
		}
		return out
	}
	out := measure(byAddress{sent: map[string]int64{"10.0.0.1": 100, "2001:db8::1": 9}}, in)
	if out.Beside == nil {
		t.Fatal("nothing was measured beside the host")
	}
	if rate, _ := out.Beside.Get(); rate != 72 {
		t.Errorf("beside the host %s is measured, want 72", out.Beside)
	}
	out = measure(byAddress{sent: map[string]int64{"10.0.0.1": 100}, err: errors.New("it does not know the address")}, in)
	if out.Beside == nil || out.Beside.IsKnown() || out.Beside.Why() == "" {
		t.Errorf("what cannot be measured beside the host is %v, want it unknown", out.Beside)
	}
	in.Beside = nil
	if out = measure(byAddress{sent: map[string]int64{"10.0.0.1": 100}}, in); out.Beside != nil {
		t.Errorf("with nothing beside the host, %s is measured there", out.Beside)
	}
}
