package traffic

import (
	"strings"
	"testing"
)

func TestShippedAmplificationTableParses(t *testing.T) {
	if err := amplification().err; err != nil {
		t.Fatal(err)
	}
	if n := len(AmplificationTable()); n != 55 {
		t.Errorf("the table holds %d services, want 55", n)
	}
}

func TestAmplification(t *testing.T) {
	for _, tt := range []struct {
		port      int
		transport string
		service   string // empty: none
		low, high float64
	}{
		{123, "udp", "NTP", 556.9, 556.9},
		{53, "udp", "DNS", 28, 54},
		{389, "udp", "CLDAP", 56, 70},
		{389, "tcp", "LDAP", 46, 55},
		{11211, "udp", "memcached", 10000, 51000},
		{10074, "udp", "Mitel TP240/MiCollab", 8492, 8492},
		{523, "udp", "IBM DB2 discovery", 0, 0},
		{123, "tcp", "", 0, 0},
		{22, "tcp", "", 0, 0},
		{-1, "udp", "", 0, 0},
	} {
		s, ok := Amplification(tt.port, tt.transport)
		if ok != (tt.service != "") || s.Service != tt.service || s.FactorLow != tt.low || s.FactorHigh != tt.high {
			t.Errorf("Amplification(%d, %q) = %+v, %v; want %q, %v to %v",
				tt.port, tt.transport, s, ok, tt.service, tt.low, tt.high)
		}
		if s.HasFactor() != (tt.high > 0) {
			t.Errorf("%d/%s: HasFactor() = %v", tt.port, tt.transport, s.HasFactor())
		}
	}
}

func TestAmplificationTableIsACopy(t *testing.T) {
	AmplificationTable()[0].Service = "changed"
	if s := AmplificationTable()[0].Service; s == "changed" {
		t.Error("a caller could change the table")
	}
}

func TestParseAmplificationRefuses(t *testing.T) {
	head := strings.Join(amplificationColumns(), ",") + "\n"
	for name, tt := range map[string]struct{ text, want string }{
		"no header":      {"", "columns"},
		"other header":   {"a,b,c\n", "columns"},
		"torn row":       {head + "1,udp\n", "wrong number of fields"},
		"port":           {head + "70000,udp,X,,1,1,A,,,,\n", `"70000" is not a port`},
		"transport":      {head + "1,sctp,X,,1,1,A,,,,\n", `"sctp" is not a transport`},
		"service":        {head + "1,udp,,,1,1,A,,,,\n", "1/udp has no service"},
		"confidence":     {head + "1,udp,X,,1,1,D,,,,\n", `"D" is not a confidence`},
		"reversed range": {head + "1,udp,X,,9,1,A,,,,\n", `"9" to "1" is not a range of factors`},
		"half a range":   {head + "1,udp,X,,9,,A,,,,\n", `"9" to "" is not a range of factors`},
		"twice":          {head + "1,udp,X,,1,1,A,,,,\n1,udp,Y,,1,1,A,,,,\n", "1/udp is out of order"},
	} {
		_, err := parseAmplification(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error is %v, want one with %q", name, err, tt.want)
		}
	}
}
