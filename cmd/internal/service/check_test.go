package service_test

import (
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/all"
)

// What acts through another integration is given that one, wherever it stands in the file.
func TestOpenJoinsWhatActsThroughAnother(t *testing.T) {
	const text = `integrations:
  host-qos: { kind: windows-qos, through: edr }
  edr: { kind: crowdstrike, cloud: eu-1, client_id: 0123456789abcdef, client_secret: secret }
`
	c, err := config.Parse("stanch.yaml", []byte(text), all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	set, err := service.Open(t.Context(), c.Opened)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = set.Close() })
	prober, err := integrations.Use[integrations.Prober](set, "host-qos")
	if err != nil {
		t.Fatal(err)
	}
	if found := prober.Probe(t.Context()); len(found) != 1 || !found[0].OK {
		t.Errorf("it is not joined: %+v", found)
	}
	c.Opened[0], c.Opened[1] = c.Opened[1], c.Opened[0]
	if _, err := service.Open(t.Context(), c.Opened); err == nil {
		t.Error("it was opened before what it acts through")
	}
}
