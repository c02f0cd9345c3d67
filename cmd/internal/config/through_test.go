package config

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/all"
)

const falcon = "  edr: { kind: crowdstrike, cloud: eu-1, client_id: 0123456789abcdef, client_secret: secret }\n"

// What acts through another is opened after it, wherever it stands in the file.
func TestWhatActsThroughAnotherIsOpenedAfterIt(t *testing.T) {
	c, err := Parse("f.yaml", []byte("integrations:\n  host-qos: { kind: windows-qos, through: edr }\n"+falcon+"  pager: { kind: webhook, url: 'https://hook.example', secret: s }\n"), all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, i := range c.Opened {
		names = append(names, i.Name)
	}
	if got := strings.Join(names, " "); got != "edr pager host-qos" {
		t.Errorf("they are opened as %s", got)
	}
}

func TestWhatIsActedThroughIsChecked(t *testing.T) {
	for text, want := range map[string]string{
		"  q: { kind: windows-qos, through: edr2 }\n":                                                         `f.yaml:2:36: there is no integration "edr2" to act through; there are q, edr`,
		"  q: { kind: windows-qos, through: q }\n":                                                            `f.yaml:2:36: integration "q" is of kind windows-qos, which has no Runner to act through`,
		"  q: { kind: windows-qos, through: hook }\n  hook: { kind: webhook, url: 'https://h', secret: s }\n": `f.yaml:2:36: integration "hook" is of kind webhook, which has no Runner to act through`,
		"  q: { kind: windows-qos }\n":                                                                        `f.yaml:2:6: the value needs through`,
	} {
		_, err := Parse("f.yaml", []byte("integrations:\n"+text+falcon), all.Catalog())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "through") > 2 {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
