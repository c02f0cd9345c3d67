package alerts_test

import (
	"strings"
	"testing"
)

// One machine is meant regardless of how often and in how many spellings it is named;
// two are neither of them.
func TestHowManyHostsAnAlertNames(t *testing.T) {
	const several = "several"
	for host, want := range map[string]string{
		`{"id":["a","b"]}`:                                    several,
		`{"id":["a","a"]}`:                                    "a",
		`{"id":["a","0"]}`:                                    "a",
		`{"id":["a","unknown","-"]}`:                          "a",
		`{"id":"a","name":["x","y"]}`:                         several,
		`{"name":["ws-1","WS-1"]}`:                            "ws-1",
		`{"name":["ws-1","ws-1.corp.example."]}`:              "ws-1",
		`{"name":["ws-1.corp.example","ws-1.lab.example"]}`:   several,
		`{"name":"ws-1,ws-2"}`:                                several,
		`{"name":"ws-1;ws-2"}`:                                several,
		`{"name":"ws-1|ws-2"}`:                                several,
		`{"name":"ws-1\nws-2"}`:                               several,
		`{"name":"ws-1\tws-2"}`:                               several,
		`{"name":"ws-1\r\nws-2"}`:                             several,
		`{"name":"ws-1 ws-2"}`:                                several,
		`{"name":"ws-1, -"}`:                                  "ws-1",
		`{"name":"ws-1, n/a"}`:                                "ws-1",
		`{"name":"Anna's MacBook"}`:                           "anna's macbook",
		`{"name":"MacBook Pro"}`:                              "macbook pro",
		`{"name":"Annas iPhone"}`:                             "annas iphone",
		`{"name":"front desk (2)"}`:                           "front desk (2)",
		`{"name":"10.0.0.1"}`:                                 "10.0.0.1",
		`{"name":"10.0.0.1 10.0.0.2"}`:                        several,
		`{"name":["10.0.0.1","10.0.0.1:443"]}`:                "10.0.0.1",
		`{"name":"ws-1, 10.0.0.2"}`:                           "ws-1",
		`{"ip":["10.0.0.1","10.0.0.2"]}`:                      "10.0.0.1",
		`{"ip":["10.0.0.1","127.0.0.1","fe80::1","0.0.0.0"]}`: "10.0.0.1",
		`{"name":"ws-1","ip":["10.0.0.1","10.0.0.2"]}`:        "ws-1",
		`{"name":"localhost.","ip":"10.0.0.1"}`:               "10.0.0.1",
		`{"name":"localhost6","ip":"10.0.0.1"}`:               "10.0.0.1",
		`{"name":"LOCALHOST6.localdomain6","ip":"10.0.0.1"}`:  "10.0.0.1",
		`{"name":"none.corp.example.","ip":"10.0.0.1"}`:       "10.0.0.1",
		`{"name":"null.local","ip":"10.0.0.1"}`:               "10.0.0.1",
		`{"name":"undefined.local","ip":"10.0.0.1"}`:          "10.0.0.1",
		`{"name":"nil.local","ip":"10.0.0.1"}`:                "10.0.0.1",
		`{"name":"localhost-7","ip":"10.0.0.1"}`:              "localhost-7",
		`{"id":"true","ip":"10.0.0.1"}`:                       "10.0.0.1",
	} {
		a, err := read1(`{"id":"a","host":` + host + `}`)
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		id, _ := a.Host.ID.Get()
		isSeveral := strings.HasPrefix(id, "several:")
		if isSeveral != (want == several) || !isSeveral && !strings.EqualFold(id, want) || len(a.Host.Doubts) > 0 != isSeveral {
			t.Errorf("%s names %q, want %s; doubts: %q", host, id, want, a.Host.Doubts)
		}
		if isSeveral && (a.Host.Name.IsKnown() || a.Host.IP.IsKnown()) {
			t.Errorf("%s is several hosts, of which one is %v at %v", host, a.Host.Name, a.Host.IP)
		}
	}
	a, err := read1(`{"id":"a","host":{"name":"ws-1, 10.0.0.2"}}`)
	if err != nil || a.Host.IP.IsKnown() {
		t.Errorf("beside a name another address is its own: %v, %v", a.Host.IP, err)
	}
}
