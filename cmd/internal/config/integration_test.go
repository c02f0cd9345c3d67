package config

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/integrations/elastic"
	"github.com/stanch-soar/stanch/integrations/memory"
)

// Files of an integration are looked for from the folder of the configuration.
func TestPathsOfIntegrationsStartFromTheFile(t *testing.T) {
	const text = "integrations: { es: { kind: elasticflows, url: 'https://es.example', indices: [flows], layout: netflow, ca: tls/ca.pem, certificate: /etc/us.pem, key: us.key, proxy: 'http://proxy.example:3128' } }\n"
	c, err := Parse(filepath.Join("/srv", "stanch", "stanch.yaml"), []byte(text), all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	got := c.Opened[0].Config.(*elastic.Config)
	if got.CA != "/srv/stanch/tls/ca.pem" || got.Certificate != "/etc/us.pem" || got.Key != "/srv/stanch/us.key" || got.Proxy.Reveal() != "http://proxy.example:3128" {
		t.Errorf("the files are %q, %q and %q, the proxy is %q", got.CA, got.Certificate, got.Key, got.Proxy.Reveal())
	}
}

// The product's limits set the pace, and the file may only make it slower.
func TestRateMakesThePaceOfAProductSlower(t *testing.T) {
	spec := memory.Spec()
	spec.Limits = []integrations.Limit{{N: 122, Per: time.Minute, Source: "doc"}, {Name: "script", N: 7, Per: time.Minute, Source: "doc"}}
	catalog := integrations.NewCatalog(integrations.Vendor{Integrations: []integrations.Spec{spec}})
	for rate, want := range map[string][2]float64{"": {2, 0.1}, ", rate: 1/s": {1, 0.1}, ", rate: 3/m": {0.05, 0.05}, ", rate: 2/s": {2, 0.1}} {
		c, err := Parse("f.yaml", []byte("integrations: { edr: { kind: memory"+rate+" } }\n"), catalog)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]float64{c.Opened[0].Pace(""), c.Opened[0].Pace("script")}; got != want {
			t.Errorf("with %q the paces are %v, want %v", rate, got, want)
		}
	}
	_, err := Parse("f.yaml", []byte("integrations: { edr: { kind: memory, rate: 50/s } }\n"), catalog)
	if err == nil || !strings.Contains(err.Error(), `f.yaml:1:44: "50/s" is more than the product takes: at most 2/s`) {
		t.Errorf("a faster rate: %v", err)
	}
	for rate, want := range map[Rate]string{2: "2/s", 10.0 / 60: "10/m", 1500.0 / 3600: "25/m", 1.0 / 3600: "1/h", 0.00001: "0.000/s"} {
		if got := rate.String(); got != want {
			t.Errorf("%v is written %q, want %q", float64(rate), got, want)
		}
	}
}
