package alerts_test

import "testing"

// A filler that programs and people write for an unknown host names none: the address
// does, or no field. Two strangers must not meet in one case.
func TestWhatNamesNobody(t *testing.T) {
	for body, want := range map[string]string{
		`{"host":{"id":0,"name":"ws-1"}}`:                                "ws-1",
		`{"host":{"id":"0","name":"ws-1"}}`:                              "ws-1",
		`{"host":{"id":-1,"ip":"10.0.0.1"}}`:                             "10.0.0.1",
		`{"host":{"id":["0"],"ip":"10.0.0.1"}}`:                          "10.0.0.1",
		`{"host":{"id":"0000-0000","name":"ws-1"}}`:                      "ws-1",
		`{"host":{"id":false,"name":"ws-1"}}`:                            "ws-1",
		`{"host":{"id":"False","name":true,"ip":"10.0.0.1"}}`:            "10.0.0.1",
		`{"host":{"name":"Unknown Host","ip":"10.0.0.1"}}`:               "10.0.0.1",
		`{"host":{"name":["Unknown device"],"ip":"10.0.0.1"}}`:           "10.0.0.1",
		`{"host":{"name":"unknown host, ws-1","ip":"10.0.0.1"}}`:         "ws-1",
		`{"host":{"name":"Unknown.","ip":"10.0.0.1"}}`:                   "10.0.0.1",
		`{"host":{"name":"UNKNOWN.corp.example","ip":"10.0.0.1"}}`:       "10.0.0.1",
		`{"host":{"name":"localhost.localdomain","ip":"10.0.0.1"}}`:      "10.0.0.1",
		`{"host":{"name":"\u200b","ip":"10.0.0.1"}}`:                     "10.0.0.1",
		`{"host":{"name":"unknown-pc.corp.example","ip":"10.0.0.1"}}`:    "unknown-pc.corp.example",
		`{"host":{"id":"007","name":"ws-1"}}`:                            "007",
		`{"host":{"id":10,"name":"ws-1"}}`:                               "10",
		`{"host":{"id":"6b0e-00","name":"null01.corp","ip":"10.0.0.1"}}`: "6b0e-00",
	} {
		a, err := read1(`{"id":"a",` + body[1:])
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if got, _ := a.Host.ID.Get(); got != want {
			t.Errorf("%s names %q, want %q", body, got, want)
		}
	}
	for _, row := range []string{`{"src":"Unknown Host","src_ip":"10.0.0.1"}`, `{"src":"0","src_ip":"10.0.0.1","device_id":"0"}`, `{"src_host":"unknown.corp.example","src":"10.0.0.1"}`} {
		got, err := read(source("splunk"), `{"sid":"s","result":`+row+`}`, now())
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %v %v", row, got, err)
			continue
		}
		if id, _ := got[0].Host.ID.Get(); id != "10.0.0.1" {
			t.Errorf("%s names %q", row, id)
		}
	}
	got, err := read(source("elastic"), `{"kibana.alert.uuid":"e","host":{"id":"0","name":"no hostname","ip":["10.0.0.1"]}}`, now())
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	if id, _ := got[0].Host.ID.Get(); id != "10.0.0.1" {
		t.Errorf("Elastic's alert names %q", id)
	}
}
