package incident

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// everyField calls visit with every value of the facts, by its path.
func everyField(v reflect.Value, path string, visit func(path string, v reflect.Value)) {
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		f := v.Field(i)
		if _, ok := f.Interface().(Field); ok {
			visit(path+name, f)
		} else if f.Kind() == reflect.Struct && f.Type() != reflect.TypeFor[time.Time]() {
			everyField(f, path+name+".", visit)
		}
	}
}

// lookUp finds a path in decoded JSON.
func lookUp(t *testing.T, document map[string]any, path string) map[string]any {
	t.Helper()
	at := document
	for _, name := range strings.Split(path, ".") {
		next, ok := at[name].(map[string]any)
		if !ok {
			t.Fatalf("%s is %v", path, at[name])
		}
		at = next
	}
	return at
}

// The API and the bundle are the facts as JSON. Every single value in it says
// where it is from, or why it is unknown; and comes back as it went.
func TestEveryFactSaysWhereItIsFrom(t *testing.T) {
	for _, from := range []Provenance{FromAlert, FromEDR, FromFlows, FromInventory, Computed, Assumed, Unknown} {
		var facts Facts
		fields := 0
		everyField(reflect.ValueOf(&facts).Elem(), "", func(path string, v reflect.Value) {
			fields++
			text := fmt.Appendf(nil, `{"unknown": "why of %s"}`, path)
			if from != Unknown {
				inner, err := json.Marshal(reflect.New(v.Interface().(Field).Type()).Interface())
				if err != nil {
					t.Fatal(err)
				}
				text = fmt.Appendf(nil, `{"value": %s, "from": %q}`, strings.Replace(string(inner), "null", "[]", 1), from)
			}
			if err := json.Unmarshal(text, v.Addr().Interface()); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
		})
		if fields < 60 {
			t.Fatalf("only %d values were looked at", fields)
		}
		data, err := json.Marshal(facts)
		if err != nil {
			t.Fatal(err)
		}
		var document map[string]any
		if err := json.Unmarshal(data, &document); err != nil {
			t.Fatal(err)
		}
		everyField(reflect.ValueOf(facts), "", func(path string, _ reflect.Value) {
			got := lookUp(t, document, path)
			_, hasValue := got["value"]
			if from == Unknown && (hasValue || got["from"] != nil || got["unknown"] != "why of "+path) {
				t.Errorf("%s is unknown and written as %v", path, got)
			}
			if from != Unknown && (!hasValue || got["from"] != string(from) || got["unknown"] != nil) {
				t.Errorf("%s is known from %q and written as %v", path, from, got)
			}
		})
		var again Facts
		if err := json.Unmarshal(data, &again); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(facts, again) {
			t.Errorf("facts from %q come back differently", from)
		}
	}
}

// A host behind a shared address keeps no number, not even a zero, that the
// traffic there had said of it.
func TestDisowningLeavesNothingKnown(t *testing.T) {
	var f Facts
	f.Traffic.BytesOut, f.Traffic.Role, f.Traffic.Sample = Known[int64](9, FromFlows), Known("requester", Computed), []Flow{{}}
	f.Baseline.P99, f.Process.Path = Known[int64](0, FromFlows), NotKnown[string]("the EDR is down")
	f.Disown(nil)
	if !f.Traffic.BytesOut.IsKnown() {
		t.Fatal("no shared address takes something away")
	}
	f.Disown([]SharedAddress{{IP: "10.0.0.7", Kind: "nat", Asset: "fw-01"}, {IP: "10.0.0.8", Kind: "load_balancer"}})
	const why = "source not attributable: 10.0.0.7 is the NAT address of fw-01, 10.0.0.8 is a load balancer address"
	for _, fact := range []any{f.Traffic, f.Baseline} {
		everyField(reflect.ValueOf(fact), "", func(path string, v reflect.Value) {
			if _, from, reason := v.Interface().(Field).Any(); from != Unknown || reason != why {
				t.Errorf("%s is from %q, %q", path, from, reason)
			}
		})
	}
	if len(f.Traffic.Sample) != 0 {
		t.Error("the flows are still there to be joined")
	}
	if got := f.Process.Path.Why(); got != "the EDR is down" {
		t.Errorf("the process is unknown for another reason now: %q", got)
	}
}

func TestWithoutSharedAddresses(t *testing.T) {
	known := func(s string) Value[string] { return Known(s, FromAlert) }
	shared := []SharedAddress{{IP: "10.0.0.7", Kind: "proxy"}, {IP: "2001:db8::8", Kind: "vpn"}}
	all := AlertHost{ID: known("10.0.0.7"), Name: known("2001:0db8::8"), IP: Known([]string{"::ffff:10.0.0.7", "10.0.0.7"}, FromAlert)}
	if got := all.Without(shared); got.Named() || got.ID.Why() == "" {
		t.Errorf("a host of shared addresses alone is still named: %+v", got)
	}
	if n := len(all.At(shared)); n != 2 {
		t.Errorf("%d of its addresses are shared, want 2", n)
	}
	some := AlertHost{ID: known("ws-042"), IP: Known([]string{"10.0.0.7", "10.0.0.70"}, FromAlert)}
	got := some.Without(shared)
	if ips, _ := got.IP.Get(); len(ips) != 1 || ips[0] != "10.0.0.70" || got.IP.From() != FromAlert {
		t.Errorf("its own addresses are %v", got.IP)
	}
	if id, _ := got.ID.Get(); id != "ws-042" {
		t.Errorf("its id is %v", got.ID)
	}
	if ips, _ := some.IP.Get(); len(ips) != 2 {
		t.Error("the host itself was changed")
	}
	if got := some.Without(nil); !reflect.DeepEqual(got, some) {
		t.Errorf("nothing shared changes it: %+v", got)
	}
}

func TestSharedKinds(t *testing.T) {
	asset := func(role string, tags ...string) Asset {
		return Asset{Role: Known(role, FromInventory), Tags: Known(tags, FromInventory)}
	}
	for want, assets := range map[string][]Asset{
		"nat":           {asset("nat"), asset("NAT"), asset("firewall", "edge", "nat")},
		"proxy":         {asset("proxy"), asset(" Proxy ")},
		"vpn":           {asset("VPN"), asset("", "vpn")},
		"load_balancer": {asset("load-balancer"), asset("load balancer"), asset("load_balancer")},
		"":              {asset("workstation", "natural"), asset(""), {}, asset("vpn_user"), {Role: NotKnown[string]("vpn")}},
	} {
		for _, a := range assets {
			if got, ok := a.SharedKind(); got != want || ok != (want != "") {
				t.Errorf("%v %v shares as %q (%v), want %q", a.Role, a.Tags, got, ok, want)
			}
		}
	}
}
