package flowlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks"
)

// mapTests holds the tests of one mapping.
type mapTests struct {
	Map   string    `yaml:"map,required" doc:"Path of the mapping, from this file."`
	Cases []mapCase `yaml:"cases,required" doc:"The cases."`
}

type mapCase struct {
	Name    string    `yaml:"name,required" doc:"What the case shows, as a sentence."`
	Log     string    `yaml:"log,required" doc:"The lines, in a | block."`
	Flows   []mapFlow `yaml:"flows" doc:"The flows that the lines hold, all of them and in their order; of each the values that are looked at."`
	Bad     int64     `yaml:"bad" doc:"How many lines cannot be read."`
	Skipped int64     `yaml:"skipped" doc:"How many tell of nothing that left."`
}

type mapFlow struct {
	Start       string `yaml:"start" doc:"In RFC 3339."`
	End         string `yaml:"end" doc:"In RFC 3339."`
	Source      string `yaml:"source" doc:"Address, and port after a colon if it is looked at."`
	Destination string `yaml:"destination" doc:"The same of the other end."`
	Transport   string `yaml:"transport"`
	Sent        string `yaml:"sent" doc:"Bytes that the source sent, or unknown."`
	Received    string `yaml:"received" doc:"Bytes that the destination sent, or unknown."`
	Sampling    string `yaml:"sampling"`
	Sensor      string `yaml:"sensor"`
	User        string `yaml:"user"`
	Device      string `yaml:"device"`
}

// MapReport is the result of the tests of one mapping.
type MapReport struct {
	// File is the file of the tests, and Map that of the mapping.
	File  string      `json:"file"`
	Map   string      `json:"map"`
	Cases []MapResult `json:"cases"`
}

// MapResult is the result of one case; without failures it has passed.
type MapResult struct {
	Name     string           `json:"name"`
	Failures playbooks.Issues `json:"failures,omitempty"`
}

// Failed counts the cases that failed.
func (r MapReport) Failed() int {
	n := 0
	for _, c := range r.Cases {
		if len(c.Failures) > 0 {
			n++
		}
	}
	return n
}

// TestMapping runs the tests of a mapping, which stand beside it: of acme.yaml in acme_test.yaml, which may
// be given as well. An error about the content of a file is [playbooks.Issues]; a case that fails is none.
func TestMapping(path string) (MapReport, error) {
	ext := filepath.Ext(path)
	if bare := strings.TrimSuffix(path, ext); !strings.HasSuffix(bare, "_test") {
		path = bare + "_test" + ext
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return MapReport{}, fmt.Errorf("read the tests of a mapping: %w", err)
	}
	var tests mapTests
	if err := playbooks.DecodeStrict(path, data, &tests).Err(); err != nil {
		return MapReport{}, err
	}
	var root playbooks.Node
	_ = playbooks.DecodeStrict(path, data, &root) // It was decoded above.
	report := MapReport{File: path, Map: filepath.Join(filepath.Dir(path), tests.Map)}
	m, err := LoadMapping(report.Map)
	if err != nil {
		return MapReport{}, err
	}
	for i, c := range tests.Cases {
		failures, err := c.run(m, root.Get("cases").At(i))
		if err != nil {
			return MapReport{}, err
		}
		report.Cases = append(report.Cases, MapResult{c.Name, failures})
	}
	return report, nil
}

func (c mapCase) run(m *Mapping, node playbooks.Node) (playbooks.Issues, error) {
	r, err := NewReader(bytes.NewReader([]byte(c.Log)), Options{Format: mappingFormat().Name, Map: m})
	if err != nil {
		return nil, err
	}
	var records []flowmath.Record
	var bad []string
	for {
		var rec flowmath.Record
		err := r.Next(&rec)
		if line, ok := errors.AsType[*BadLine](err); ok {
			bad = append(bad, line.Error())
			continue
		}
		if errors.Is(err, io.EOF) || errors.Is(err, ErrUnrecognised) {
			break
		}
		if err != nil {
			return nil, err
		}
		records = append(records, rec)
	}
	var issues playbooks.Issues
	differs := func(at playbooks.Node, what string, got, want any) {
		if got != want {
			issues = append(issues, at.Issue("%s: got %v, want %v", what, got, want))
		}
	}
	if int64(len(bad)) != c.Bad {
		issues = append(issues, node.Issue("%d bad lines, want %d: %s", len(bad), c.Bad, strings.Join(bad, "; ")))
	}
	differs(node, "skipped lines", r.Skipped(), c.Skipped)
	differs(node, "flows", len(records), len(c.Flows))
	for i := range min(len(records), len(c.Flows)) {
		at := node.Get("flows").At(i)
		got := shownFlow(&records[i], c.Flows[i])
		for _, key := range at.Keys() {
			differs(at.Get(key), key, got.value(key), c.Flows[i].value(key))
		}
	}
	return issues, nil
}

// value is the value of a key.
func (f mapFlow) value(key string) string {
	return map[string]string{
		"start": f.Start, "end": f.End, "source": f.Source, "destination": f.Destination, "transport": f.Transport, "sent": f.Sent,
		"received": f.Received, "sampling": f.Sampling, "sensor": f.Sensor, "user": f.User, "device": f.Device,
	}[key]
}

// shownFlow is a record as a test writes it; ports stand where the test looks at them.
func shownFlow(r *flowmath.Record, want mapFlow) mapFlow {
	address := func(ip string, port uint16, like string) string {
		if strings.HasPrefix(like, ip+":") {
			return ip + ":" + strconv.Itoa(int(port))
		}
		return ip
	}
	volume := func(s flowmath.Side) string {
		if n, _, _, ok := s.Volume(); ok {
			return strconv.FormatInt(n, 10)
		}
		return "unknown"
	}
	return mapFlow{
		Start: r.Start.UTC().Format(time.RFC3339Nano), End: r.End().UTC().Format(time.RFC3339Nano),
		Source: address(r.Src.String(), r.SrcPort, want.Source), Destination: address(r.Dst.String(), r.DstPort, want.Destination),
		Transport: r.Transport, Sent: volume(r.Orig), Received: volume(r.Resp), Sampling: strconv.FormatInt(r.Sampling, 10),
		Sensor: r.Sensor, User: r.User, Device: r.Device,
	}
}
