package config

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/all"
)

// shelf is a transport of the tests.
type shelf struct {
	Topic  string              `yaml:"topic,required"`
	File   string              `yaml:"file" path:""`
	Secret integrations.Secret `yaml:"secret"`
}

func (s *shelf) Check() error {
	if s.Topic == "bad" {
		return errors.New("the topic is bad")
	}
	return nil
}

func withShelf() integrations.Catalog {
	c := all.Catalog()
	c.Transports = []alerts.Transport{{
		Kind: "shelf", NewConfig: func() any { return &shelf{Topic: "alerts"} },
		Open: func(context.Context, any) (alerts.Puller, error) { return nil, errors.ErrUnsupported },
	}}
	return c
}

func TestASourceIsFetchedOrPostedTo(t *testing.T) {
	c, err := Parse("/etc/f.yaml", []byte(`sources:
  ndr: { kind: stanch, from: { kind: shelf, topic: ndr, file: ca.pem, secret: c4n4ryS3cretV4lue00xyz } }
  edr: { kind: stanch, auth: { bearer: sourcetokensourcetoken } }
`), withShelf())
	if err != nil {
		t.Fatal(err)
	}
	ndr := c.Sources["ndr"]
	got, ok := ndr.Fetch.Config.(*shelf)
	if !ok || !ndr.Fetched() || ndr.Fetch.Kind != "shelf" || got.Topic != "ndr" || got.File != "/etc/ca.pem" || got.Secret.Reveal() != "c4n4ryS3cretV4lue00xyz" {
		t.Errorf("the source is fetched by %q with %+v", ndr.Fetch.Kind, ndr.Fetch.Config)
	}
	if c.Sources["edr"].Fetched() {
		t.Error("a source without from is fetched")
	}
	for name, c := range map[string]struct{ text, want string }{
		"both":          {"{ kind: stanch, auth: { bearer: sourcetokensourcetoken }, from: { kind: shelf, topic: a } }", "source a: it has auth, so it is posted to, and from, so it is fetched: keep one"},
		"no kind":       {"{ kind: stanch, from: { topic: a } }", "the value needs kind"},
		"another kind":  {"{ kind: stanch, from: { kind: floor, topic: a } }", "source a: there is no transport \"floor\"; there are shelf"},
		"a strange key": {"{ kind: stanch, from: { kind: shelf, topik: a } }", "did you mean 'topic'?"},
		"its check":     {"{ kind: stanch, from: { kind: shelf, topic: bad } }", "source a: from: the topic is bad"},
		"a list":        {"{ kind: stanch, from: [shelf] }", "must be a mapping"},
		"text":          {"{ kind: stanch, from: shelf }", "must be a mapping"},
	} {
		_, err := Parse("f.yaml", []byte("sources:\n  a: "+c.text+"\n"), withShelf())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: it says %v, not %s", name, err, c.want)
		}
	}
}
