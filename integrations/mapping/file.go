package mapping

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/policy"
)

// file is a mapping as people write it. The tag value says what the value of an
// expression may be; see types.
type file struct {
	Documents playbooks.Expressions `yaml:"documents" value:"documents" doc:"Where the alerts stand in the body: an expression over body that gives a list of objects, or one. Without it each element of a list is an alert, and an object is one."`

	Ours          playbooks.Expressions `yaml:"ours,required" value:"condition" doc:"Whether the machine that host names is one of ours, and the one that sends. Where it is false, or not known, the alert is recorded and starts nothing."`
	StartsNothing []exception           `yaml:"starts_nothing" doc:"What else is recorded and starts nothing, such as tests and what was found to be harmless."`
	Status        playbooks.Expressions `yaml:"status" value:"text" doc:"The state: firing, resolved, not_alerting or sample, or a word that products have for one of them. Without the key every alert fires; where its word is not known, the alert is recorded and starts nothing."`
	Contained     playbooks.Expressions `yaml:"contained" value:"flag" doc:"Whether the sender has contained the host already."`

	ID      playbooks.Expressions `yaml:"id,required" value:"name" doc:"The sender's own id, which stays the same when the alert is sent again. An alert without one is rejected."`
	Began   playbooks.Expressions `yaml:"began" value:"time" doc:"When this occurrence of the alert began; with the id it is the occurrence. Without it that is the time."`
	Updated playbooks.Expressions `yaml:"updated" value:"time" doc:"When the sender changed the alert last."`

	Category playbooks.Expressions `yaml:"category" value:"text" doc:"The category, such as high_egress."`
	Rule     playbooks.Expressions `yaml:"rule" value:"text" doc:"The name of the rule or model."`
	Severity playbooks.Expressions `yaml:"severity" value:"text" doc:"The sender's own word or number."`
	Time     playbooks.Expressions `yaml:"time" value:"time" doc:"When it happened."`
	Window   playbooks.Expressions `yaml:"window" value:"duration" doc:"The time that the counts cover; a bare number is in seconds."`
	BytesOut playbooks.Expressions `yaml:"bytes_out" value:"size" doc:"Bytes that the host sent: not packets, not what it received, and no rate."`
	Count    playbooks.Expressions `yaml:"count" value:"number" doc:"Events or connections behind the alert."`

	Host        host        `yaml:"host,required" doc:"The machine that sends, never the sensor: at least one of id, name and ip."`
	Process     process     `yaml:"process" doc:"The process that sends."`
	Destination destination `yaml:"destination" doc:"Where it sends to."`
}

type exception struct {
	When    playbooks.Expressions `yaml:"when,required" value:"condition" doc:"The condition. Where it is not known, the alert starts nothing either."`
	Because string                `yaml:"because,required" doc:"The reason that people read."`
	Status  string                `yaml:"status" enum:"not_alerting,sample" default:"not_alerting" doc:"What the alert is recorded as."`
}

type host struct {
	ID   playbooks.Expressions `yaml:"id" value:"names" doc:"The id that the EDR has for the device. An id of the sender's own belongs nowhere: it could be that of another device."`
	Name playbooks.Expressions `yaml:"name" value:"names" doc:"Its name. Several are several hosts, and none of them is acted on."`
	OS   playbooks.Expressions `yaml:"os" value:"text" doc:"Its operating system, in any spelling."`
	IP   playbooks.Expressions `yaml:"ip" value:"names" doc:"Its addresses: a list, or a text of them."`
}

type process struct {
	Name        playbooks.Expressions `yaml:"name" value:"text" doc:"Image name."`
	Path        playbooks.Expressions `yaml:"path" value:"text" doc:"Full path of the image."`
	PID         playbooks.Expressions `yaml:"pid" value:"number" doc:"Process id."`
	CommandLine playbooks.Expressions `yaml:"command_line" value:"text" doc:"Command line."`
	User        playbooks.Expressions `yaml:"user" value:"text" doc:"Account."`
}

type destination struct {
	IP        playbooks.Expressions `yaml:"ip" value:"text" doc:"Its address."`
	Port      playbooks.Expressions `yaml:"port" value:"number" doc:"Its port."`
	Transport playbooks.Expressions `yaml:"transport" value:"text" doc:"udp, tcp or icmp, in any spelling, also as the protocol's number."`
}

// types are the types that the values of a kind may have, in CEL's words.
func types(kind string) []string {
	switch kind {
	case "documents":
		return []string{"list", "map"}
	case "condition":
		return []string{"bool"}
	case "flag":
		return []string{"bool", "string", "int"}
	case "time":
		return []string{"timestamp", "string", "int", "double"}
	case "duration":
		return []string{"duration", "string", "int"}
	case "number", "size":
		return []string{"int", "uint", "double", "string"}
	case "name":
		return []string{"string", "int"}
	case "names":
		return []string{"string", "int", "list(string)", "list(int)"}
	default:
		return []string{"string", "int", "double"}
	}
}

// value is one value of a file with its expressions.
type value struct {
	path, kind, doc string
	expressions     playbooks.Expressions
}

// values lists those of a struct, in the order of its fields.
func values(s reflect.Value, at string) []value {
	var all []value
	for f, v := range s.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch of := v.Interface().(type) {
		case playbooks.Expressions:
			all = append(all, value{at + name, f.Tag.Get("value"), f.Tag.Get("doc"), of})
		case []exception:
			for i := range of {
				all = append(all, values(v.Index(i), fmt.Sprintf("%s[%d].", name, i))...)
			}
		default:
			if v.Kind() == reflect.Struct {
				all = append(all, values(v, name+".")...)
			}
		}
	}
	return all
}

// expression is a compiled expression with its place in the file.
type expression struct {
	*policy.JSON
	place string
	// constant says that it reads nothing of the alert: its value is the mapping's author's.
	constant bool
}

// Mapping is a mapping that was read and checked. It is immutable.
type Mapping struct {
	values     map[string][]expression
	exceptions []exception
	// apart are the paths in the body that documents reads: the body that the other
	// expressions see lacks them.
	apart [][]string
	// around says that there are such expressions.
	around bool
	// broken is why the mapping that is shipped cannot be used.
	broken error
}

// The names that expressions see.
const (
	docName  = "doc"
	homeName = "home"
	bodyName = "body"
)

// Load reads the mapping of a file. An error about its content is [playbooks.Issues].
func Load(path string) (*Mapping, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the mapping: %w", err)
	}
	return Parse(path, data)
}

// Parse reads a mapping. The error is [playbooks.Issues] and has every fault, with its
// place.
func Parse(path string, data []byte) (*Mapping, error) {
	var f file
	issues := playbooks.DecodeStrict(path, data, &f)
	var root playbooks.Node
	// Faults of the form were reported above.
	_ = playbooks.DecodeStrict(path, data, &root)
	m := &Mapping{values: map[string][]expression{}, exceptions: f.StartsNothing}
	all := values(reflect.ValueOf(f), "")
	issues = append(issues, m.compile(path, data, all[:1], []string{bodyName})...)
	names := []string{docName, homeName}
	if len(f.Documents) > 0 {
		names = append(names, bodyName)
	}
	issues = append(issues, m.compile(path, data, all[1:], names)...)
	if !root.Get("host").IsZero() && len(f.Host.ID)+len(f.Host.Name)+len(f.Host.IP) == 0 && issues.Err() == nil {
		issues = append(issues, root.Get("host").Issue("host needs one of id, name and ip: an alert is about a host"))
	}
	if err := issues.Err(); err != nil {
		return nil, err
	}
	for _, e := range m.values["documents"] {
		m.apart = append(m.apart, e.Reads(bodyName)...)
	}
	return m, nil
}

// compile compiles the expressions of some values.
func (m *Mapping) compile(path string, data []byte, all []value, names []string) playbooks.Issues {
	var wanted []policy.Wanted
	for _, v := range all {
		for _, e := range v.expressions {
			wanted = append(wanted, policy.Wanted{Name: v.path, Expr: e, Types: types(v.kind)})
		}
	}
	compiled, faults := policy.CompileJSON(path, data, names, wanted)
	if len(faults) > 0 {
		return playbooks.ExpressionIssues(path, data, faults)
	}
	var missing []policy.Issue
	for _, v := range all {
		for _, e := range v.expressions {
			c := compiled[0]
			compiled = compiled[1:]
			reads := len(c.Reads(docName)) + len(c.Reads(bodyName))
			m.around = m.around || len(c.Reads(bodyName)) > 0 && v.path != "documents"
			if reads == 0 && slices.Contains([]string{"documents", "name", "names"}, v.kind) {
				missing = append(missing, policy.Issue{File: path, Line: e.Line, Column: e.Column, Message: fmt.Sprintf("%s reads nothing of what was sent: it would be the same in every alert", v.path)})
			}
			m.values[v.path] = append(m.values[v.path], expression{JSON: c, place: fmt.Sprintf("%s:%d:%d", base(path), e.Line, e.Column), constant: reads == 0})
		}
	}
	return playbooks.ExpressionIssues(path, data, missing)
}

// base is the name of a file without its folder, which senders need not know.
func base(path string) string {
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

// Schema is the JSON Schema of a mapping, for editors.
func Schema() ([]byte, error) {
	return playbooks.SchemaOf(reflect.TypeFor[file](), "mapping.schema.json", "Stanch mapping")
}
