// Package mapping reads alerts of any JSON, by a file that says in an expression where
// each value stands.
package mapping

import (
	"embed"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor { return integrations.Vendor{Sources: []alerts.Spec{Alerts()}} }

// examples are mappings with their tests. The first one reads the example of the kind.
//
//go:embed examples
var examples embed.FS

// Alerts describes the kind. As long as it has no file it reads its example.
func Alerts() alerts.Spec {
	return shipped().with(alerts.Spec{
		Kind:       "mapping",
		Summary:    "any other JSON, by a file of expressions",
		Doc:        doc(),
		Identity:   "what `id` of the file gives",
		Occurrence: "what `began` of the file gives, else `time`",
		Example:    example,
		Varies:     []string{"13645", "{n}", "ws-042", "{host}", "10.20.0.42", "{ip}"},
		Mapped:     string(shippedFile()),
		Map: func(path string, data []byte) (alerts.Spec, error) {
			m, err := Parse(path, data)
			if err != nil {
				return alerts.Spec{}, err
			}
			return m.with(Alerts()), nil
		},
	})
}

// with returns the Spec that reads by the mapping.
func (m *Mapping) with(s alerts.Spec) alerts.Spec {
	s.Split, s.Join, s.Read = m.split, m.join, m.read
	s.Began, s.Updated = []string{"began"}, []string{"updated"}
	return s
}

// shipped is the mapping of the example, which never changes.
var shipped = sync.OnceValue(func() *Mapping {
	m, err := Parse(shippedPath, shippedFile())
	if err != nil {
		return &Mapping{broken: err}
	}
	return m
})

const shippedPath = "examples/vectra.yaml"

func shippedFile() []byte {
	// What is embedded can be read.
	data, _ := examples.ReadFile(shippedPath)
	return data
}

func doc() string {
	var b strings.Builder
	b.WriteString("What a product posts is read by a file of [CEL expressions](policy.md), which the source names: `map: mappings/ndr.yaml`.\n" +
		"Each key is a value of an alert, and an expression over `doc`, one alert as it was sent, that gives it; or a list of\n" +
		"expressions, of which the first counts that gives a value. What `doc` lacks, or has as null, is unknown, and so is what an\n" +
		"expression makes of it: `known(doc.a)` asks, and `known(doc.a) ? doc.a : 'b'` has an answer for it. A key with a dot is\n" +
		"written `doc['host.name']`. Unknown and misspelt keys are refused, and so are expressions whose type does not fit: the\n" +
		"configuration is then not taken. What an expression gives is read as in every kind; what reads nothing of `doc` counts as\n" +
		"assumed. `stanch source test` runs the tests of the file. Bodies may follow one another, a line each: one that cannot be read\n" +
		"takes nothing from the others.\n\n" +
		"Besides CEL's own functions there are `known`, `bytes`, `max`, `min` and those for addresses of [policies](policy.md), `json(text)`\n" +
		"for JSON that stands in a text, and `digest(value)`, which makes an id of what has none.\n" +
		"`home.holds(address)` asks whether an address is one of the site's own, by the `home_networks` of the source; without them a\n" +
		"private address is, and of a public one it is not known. `body` is what stands around the\n" +
		"alerts: the body without what `documents` reads, at most " + fmt.Sprint(maxAround>>10) + " KiB of it.\n\n" +
		"| key | gives | |\n|---|---|---|\n")
	for _, v := range values(reflect.ValueOf(file{StartsNothing: make([]exception, 1)}), "") {
		path := strings.Replace(v.path, "[0]", "[]", 1)
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", path, strings.Join(types(v.kind), ", "), v.doc)
	}
	return b.String()
}

// example is what a network detector posts, synthetic.
const example = `{
  "id": 13645, "category": "EXFILTRATION", "detection": "Data Smuggler", "threat": 80, "certainty": 95,
  "first_timestamp": "2026-03-01T02:57:45Z", "last_timestamp": "2026-03-01T03:12:45Z", "is_triaged": false,
  "src_ip": "10.20.0.42", "src_host": { "id": 146, "name": "ws-042" },
  "summary": { "bytes_sent": 4294967296, "dst_ips": ["203.0.113.7"], "dst_ports": [443] }
}
`
