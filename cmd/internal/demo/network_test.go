package demo

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/lab"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// TestTheRealConfigurationWorks loads what a demo with real packets lays out: nothing of
// it is to be filled in any more, and what is simulated is said.
func TestTheRealConfigurationWorks(t *testing.T) {
	f, err := fill(t.TempDir(), true, "real", tokenOfDetector, "@FLOWS@", t.TempDir(), "@GATEWAY@", "/run/netns/gateway")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(f.path(configFile), all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Sources[fastnetmon]; !ok {
		t.Errorf("the detector's source %s is not there", fastnetmon)
	}
	var out bytes.Buffer
	s := &show{p: term.New(&out, term.Options{})}
	if err := s.introduceReal(t.Context()); err != nil {
		t.Fatal(err)
	}
	simulated, _, _ := strings.Cut(out.String()[strings.Index(out.String(), "simulated"):], "\n")
	var said []string
	for _, i := range c.Opened {
		if i.Spec.Kind != memory.Spec().Kind {
			continue
		}
		if said = append(said, i.Name); !strings.Contains(strings.ToLower(simulated), i.Name) {
			t.Errorf("%s is simulated, and the demo says %q", i.Name, simulated)
		}
	}
	if slices.Sort(said); !slices.Equal(said, []string{"edr", "slack"}) {
		t.Errorf("%q are simulated", said)
	}
}

// TestTheRealPlaybookFitsTheNetwork checks what the demo says of the playbook.
func TestTheRealPlaybookFitsTheNetwork(t *testing.T) {
	text, err := shipped.ReadFile("real/playbooks/flood.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := playbooks.Load("flood.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	if p.Mode != playbooks.Enforce {
		t.Errorf("it is in mode %s: nothing would happen", p.Mode)
	}
	limit, block := p.Steps[throttle], p.Steps[stopFlood]
	if limit.Action != incident.RateLimit || limit.With.Rate >= alarmed || limit.With.Rate >= link {
		t.Errorf("%s is %s to %d, with floods of %d and a link of %d", throttle, limit.Action, limit.With.Rate, int64(floods), int64(link))
	}
	if block.Action != incident.Block || block.Verify.EgressBelow <= works {
		t.Errorf("%s is %s, verified below %d, while another host sends %d", stopFlood, block.Action, block.Verify.EgressBelow, int64(works))
	}
	if longest < p.Approvals["on-call"].ExpireAfter+block.TTL+4*promptly {
		t.Errorf("the network's programs end after %s, before the last answer can be followed", longest)
	}
}

// TestALogIsKept keeps the log of a demo that failed, outside of what is removed.
func TestALogIsKept(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, failed := range []bool{false, true} {
		f, err := fill(t.TempDir(), true, "real", tokenOfDetector)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.log, []byte("the cause"), 0o600); err != nil {
			t.Fatal(err)
		}
		log, err := os.Open(f.log)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		s := &show{folder: f, failed: failed, log: log, network: &network{Lab: &lab.Lab{}}}
		if err := s.keepLog(); err != nil {
			t.Fatal(err)
		}
		if kept := !strings.HasPrefix(f.log, f.dir); kept != failed {
			t.Errorf("it failed: %v, and the log is %s", failed, f.log)
		}
		if text, err := os.ReadFile(f.log); err != nil || string(text) != "the cause" {
			t.Errorf("the log is %q: %v", text, err)
		}
	}
}
