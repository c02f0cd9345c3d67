package crowdstrike

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

func TestConfig(t *testing.T) {
	good := Config{ClientID: "a", ClientSecret: "s", Cloud: "eu-1", Repository: "search-all", Access: httpx.Access{Timeout: time.Minute}}
	for name, test := range map[string]struct {
		change func(*Config)
		base   string // empty: invalid
	}{
		"a cloud":              {func(*Config) {}, "https://api.eu-1.crowdstrike.com"},
		"a government's cloud": {func(c *Config) { c.Cloud = "us-gov-1" }, "https://api.laggar.gcw.crowdstrike.com"},
		"a gateway":            {func(c *Config) { c.URL = "https://gateway.example/falcon/" }, "https://gateway.example/falcon"},
		"loopback":             {func(c *Config) { c.URL = "http://127.0.0.1:1" }, "http://127.0.0.1:1"},
		"in the clear":         {func(c *Config) { c.URL = "http://api.example" }, ""},
		"a user in the url":    {func(c *Config) { c.URL = "https://a:b@api.example" }, ""},
		"no url":               {func(c *Config) { c.URL = "api.example" }, ""},
		"another cloud":        {func(c *Config) { c.Cloud = "mars-1" }, ""},
		"no secret":            {func(c *Config) { c.ClientSecret = "" }, ""},
		"a child":              {func(c *Config) { c.MemberCID = strings.Repeat("0a", 16) + "-7F" }, "https://api.eu-1.crowdstrike.com"},
		"no child":             {func(c *Config) { c.MemberCID = "all" }, ""},
		"a path as repository": {func(c *Config) { c.Repository = "../admin" }, ""},
		"no repository":        {func(c *Config) { c.Repository = "" }, ""},
		"no time":              {func(c *Config) { c.Timeout = 0 }, ""},
	} {
		c := good
		test.change(&c)
		f, err := open(c)
		switch {
		case test.base == "" && (err == nil || integrations.KindOf(err) != integrations.Invalid):
			t.Errorf("%s: %v, want an invalid error", name, err)
		case test.base != "" && (err != nil || f.base != test.base):
			t.Errorf("%s: %v, want the address %s", name, err, test.base)
		}
	}
}

// probed is what a probe finds of a Falcon whose token address says where it is and what
// time it has there.
func probed(t *testing.T, region string, at time.Time, status int) []integrations.Finding {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Cs-Region", region)
		w.Header().Set("Date", at.UTC().Format(http.TimeFormat))
		if r.URL.Path == tokenPath {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"access_token":"token","expires_in":1799}`))
			return
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"errors":[{"code":403,"message":"access denied, authorization failed"}]}`))
	}))
	defer s.Close()
	f, err := open(Config{ClientID: "a", ClientSecret: "hush-hush", Cloud: "us-1", Repository: "search-all", URL: s.URL, Access: httpx.Access{Timeout: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	return f.Probe(t.Context())
}

func has(found []integrations.Finding, words string, right, warning bool) bool {
	for _, f := range found {
		if strings.Contains(f.What+" "+f.Fix, words) {
			return f.OK == right && f.Warning == warning
		}
	}
	return false
}

func TestProbe(t *testing.T) {
	now := time.Now()
	all := probed(t, "eu-1", now, 201)
	for _, want := range []string{"write cloud: eu-1", "lack Hosts: read", "lack Real time response: read", "lack Real time response (admin): write", "lack NGSIEM: read and write"} {
		if !has(all, want, false, false) {
			t.Errorf("nothing is found wrong with %q: %+v", want, all)
		}
	}
	if !has(all, "Hosts: write and Real time response: write cannot be told", true, true) {
		t.Errorf("it is not said what cannot be told: %+v", all)
	}
	if found := probed(t, "us-1", now, 201); has(found, "write cloud", false, false) || !has(found, "the clock agrees", true, false) {
		t.Errorf("with the right cloud and time: %+v", found)
	}
	if found := probed(t, "us-9", now.Add(-3*time.Minute), 201); !has(found, "us-9", true, true) || !has(found, "the clock differs", true, true) {
		t.Errorf("with a new cloud and three minutes: %+v", found)
	}
	if found := probed(t, "us-1", now.Add(6*time.Minute), 201); !has(found, "the clock differs", false, false) {
		t.Errorf("with six minutes: %+v", found)
	}
	found := probed(t, "us-2", now, 403)
	if !has(found, "write cloud: us-2", false, false) || !has(found, "403", false, false) {
		t.Errorf("with refused credentials: %+v", found)
	}
	for _, f := range append(all, found...) {
		if strings.Contains(f.What+f.Fix, "hush") {
			t.Errorf("a finding shows the secret: %+v", f)
		}
	}
}
