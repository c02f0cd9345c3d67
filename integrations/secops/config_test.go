package secops

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/secops/secopsfake"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	key := secopsfake.New(t, secopsfake.Options{}).ServiceAccount("https://oauth2.googleapis.com")
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"as it is":             {func(*Config) {}, ""},
		"one rule":             {func(c *Config) { c.Rule = "ru_e6abfcb5-1b85-41b0-b64c-695b3250436f" }, ""},
		"a path as an id":      {func(c *Config) { c.Instance = "../x" }, `invalid instance "../x"`},
		"no project":           {func(c *Config) { c.Project = "" }, `invalid project ""`},
		"a host as the region": {func(c *Config) { c.Location = "evil.example/" }, `invalid location "evil.example/"`},
		"a rule as a query":    {func(c *Config) { c.Rule = "a&b=c" }, `invalid rule "a&b=c"`},
		"asked without a stop": {func(c *Config) { c.Every = time.Second }, "every is 1s: must be between 10s and 1h0m0s"},
		"no look back":         {func(c *Config) { c.Lookback = 0 }, "lookback is 0s: must be between 1m0s and 720h0m0s"},
		"all is overlap":       {func(c *Config) { c.Overlap = 25 * time.Hour }, "overlap is 25h0m0s: must be between 0s and 24h0m0s"},
		"an address":           {func(c *Config) { c.URL = "chronicle" }, "url is not an address such as https://us-chronicle.googleapis.com"},
		"no key":               {func(c *Config) { c.ServiceAccount = "{}" }, errKey.Error()},
		"another file":         {func(c *Config) { c.ServiceAccount = "canary-" + integrations.Secret(key) }, errKey.Error()},
		"a key that is cut": {func(c *Config) {
			c.ServiceAccount = integrations.Secret(strings.Replace(key, "PRIVATE KEY-----\\n", "PRIVATE KEY-----\\nAAAA", 1))
		}, errKey.Error()},
	} {
		config := defaults()
		config.Project, config.Location, config.Instance, config.ServiceAccount = "p-1", "eu", "i-1", integrations.Secret(key)
		c.change(config)
		got := ""
		if err := config.Check(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
