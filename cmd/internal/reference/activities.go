package reference

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/workflows"
)

// registered is a workflow or an activity as it registers itself.
type registered struct {
	name    string
	in, out reflect.Type
}

// recorder is a registry that only records.
type recorder struct{ activities, workflows []registered }

// RegisterActivityWithOptions implements [activities.Registry].
func (r *recorder) RegisterActivityWithOptions(a any, options activity.RegisterOptions) {
	r.activities = append(r.activities, signature(options.Name, a))
}

// RegisterWorkflowWithOptions implements [workflows.Registry].
func (r *recorder) RegisterWorkflowWithOptions(w any, options workflow.RegisterOptions) {
	r.workflows = append(r.workflows, signature(options.Name, w))
}

// signature returns the types of a function of a context and an input.
func signature(name string, f any) registered {
	t := reflect.TypeOf(f)
	found := registered{name: name}
	for i := range t.NumIn() {
		if in := t.In(i); !in.Implements(reflect.TypeFor[context.Context]()) && in != reflect.TypeFor[workflow.Context]() {
			found.in = in
		}
	}
	if t.NumOut() > 1 {
		found.out = t.Out(0)
	}
	return found
}

func activitiesReference() string {
	var r recorder
	workflows.Register(&r)
	new(activities.Activities).Register(&r)
	var b strings.Builder
	b.WriteString("# Workflows and activities\n\n" + generated + `
The names under which history keeps what the engine does, and the JSON of their inputs and results. They are part of
what running cases rely on: a name or a field is never given another meaning.

## Workflows

` + header)
	rows(&b, r.workflows)
	b.WriteString("\n## Activities\n\n" + header)
	rows(&b, r.activities)
	b.WriteString("\n## Search attributes\n\nEach is a keyword. Cases and leases are listed by them.\n\n")
	for _, a := range protocol.Attributes() {
		fmt.Fprintf(&b, "- `%s`\n", a)
	}
	return b.String()
}

const header = "| name | input | result |\n|---|---|---|\n"

func rows(b *strings.Builder, list []registered) {
	slices.SortFunc(list, func(a, b registered) int { return cmp.Compare(a.name, b.name) })
	for _, r := range list {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", r.name, shape(r.in), shape(r.out))
	}
}

// shape describes a type and the fields of its JSON.
func shape(t reflect.Type) string {
	if t == nil {
		return "nothing"
	}
	text := code(t.String())
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return text
	}
	var fields []string
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			fields = append(fields, name)
		}
	}
	if len(fields) == 0 {
		return text
	}
	return text + ": " + strings.Join(fields, ", ")
}
