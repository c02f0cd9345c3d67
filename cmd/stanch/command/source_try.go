package command

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// sourceTryOptions are the flags of source test.
type sourceTryOptions struct {
	streams
	config, source, kind string
	mapping              string
	output               outputFlag
}

func newSourceTry(s streams) *cobra.Command {
	o := &sourceTryOptions{streams: s}
	c := &cobra.Command{
		Use: "test [FILE|-]", Short: "Say what a body would become: every field, its provenance, and the playbook that takes it", Args: cobra.MaximumNArgs(1),
		Long: `Reads a body as a source would, and routes it as the server would, without one:
each value with where it is from or why it is not known, whether the alert asks
for a response, what is doubtful, by what it is known again, and the case that it
would go to. Nothing is sent, kept, looked up or started. It exits with 2 when an
alert would be rejected.

Of a source of the kind mapping it runs, without a body, the tests that stand
beside its map. A case that fails gives the exit code 1, a bad file 2.`,
		Example: "  stanch source test alert.json --source siem --config stanch.yaml\n  stanch source test alert.json --kind elastic --output json\n  stanch source test --map mappings/ndr.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return o.runTests()
			}
			return o.run(cmd.Context(), args[0])
		},
	}
	f := c.Flags()
	f.StringVar(&o.config, "config", "", "configuration `file` with the source and the playbooks")
	f.StringVar(&o.source, "source", "", "`name` of the source; not needed where the configuration has one")
	f.StringVar(&o.kind, "kind", "", "a `kind` of source, in place of a configured one; with the library's playbooks")
	f.StringVar(&o.mapping, "map", "", "a mapping's `file`, in place of a configured source; with the library's playbooks")
	o.output.addTo(c)
	return c
}

func (o *sourceTryOptions) run(ctx context.Context, file string) error {
	source, loaded, err := o.which()
	if err != nil {
		return err
	}
	body, err := o.body(file, api.MaxBody)
	if err != nil {
		return err
	}
	receiver := httpapi.New(httpapi.Options{
		Playbooks: func() []*playbooks.Playbook { return loaded }, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	preview := receiver.Preview(ctx, source, body)
	if err := o.output.print(o.streams, preview, func(p *term.Printer) error { return showPreview(p, preview) }); err != nil {
		return err
	}
	return rejections(preview)
}

// which is the source that reads the body, and the playbooks in force.
func (o *sourceTryOptions) which() (alerts.Source, []*playbooks.Playbook, error) {
	switch {
	case o.mapping != "":
		return o.mapped()
	case o.kind != "" && (o.source != "" || o.config != ""):
		return alerts.Source{}, nil, usagef("--kind is in place of a configured source: leave out --source and --config")
	case o.kind != "":
		return sampleSource(o.kind)
	case o.config == "":
		return alerts.Source{}, nil, usagef("give --config FILE and --source NAME, or --kind KIND, or --map FILE")
	}
	c, loaded, err := configured(o.config)
	if err != nil {
		return alerts.Source{}, nil, err
	}
	name := o.source
	if names := slices.Sorted(maps.Keys(c.Sources)); name == "" {
		if len(names) != 1 {
			return alerts.Source{}, nil, usagef("give --source NAME: the configuration has %s", or(strings.Join(names, ", "), "no source"))
		}
		name = names[0]
	}
	source, err := sourceOf(c, name)
	return source.Alerts, loaded, err
}

// body reads a file, or standard input.
func (s streams) body(file string, most int64) ([]byte, error) {
	if file == "-" {
		data, err := readAll("standard input", s.in, most)
		return data, usage(err)
	}
	data, err := readFile(file, most)
	return data, usage(err)
}

// rejections is the error about what would be rejected.
func rejections(preview api.Preview) error {
	if preview.Wrong != nil {
		return usagef("the body would be rejected")
	}
	rejected := 0
	for _, a := range preview.Alerts {
		if a.Wrong != nil {
			rejected++
		}
	}
	if rejected > 0 {
		return usagef("%d of %s would be rejected", rejected, count(len(preview.Alerts), "alert"))
	}
	return nil
}

// showPreview writes for people what a body would become.
func showPreview(p *term.Printer, preview api.Preview) error {
	if err := p.Title("Body"); err != nil {
		return err
	}
	if err := p.Field("source", preview.Source, "kind "+preview.Kind); err != nil {
		return err
	}
	if w := preview.Wrong; w != nil {
		return showWrong(p, *w)
	}
	if err := p.Field("alerts", fmt.Sprint(len(preview.Alerts)), ""); err != nil {
		return err
	}
	for _, a := range preview.Alerts {
		if err := showPreviewed(p, a, len(preview.Alerts)); err != nil {
			return err
		}
	}
	return nil
}

func showWrong(p *term.Printer, w api.Wrong) error {
	if err := p.Field("rejected", w.Problem, w.Path); err != nil || w.Pointer == "" {
		return err
	}
	return p.Field("pointer", w.Pointer, "")
}

func showPreviewed(p *term.Printer, a api.PreviewedAlert, of int) error {
	if err := p.Title(fmt.Sprintf("Alert %d of %d", a.Index+1, of)); err != nil {
		return err
	}
	if a.Wrong != nil {
		if err := p.Field("id", a.Alert.ID, ""); err != nil {
			return err
		}
		return showWrong(p, *a.Wrong)
	}
	fields := [][3]string{{"id", a.Alert.ID, ""}, {"status", string(a.Alert.Status), a.Alert.StatusWhy}}
	if len(a.Alert.Prints) == 2 {
		fields = append(fields, [3]string{"occurrence", a.Alert.Prints[0], "known again by it, and its content by " + a.Alert.Prints[1]})
	}
	if at := a.Alert.UpdatedAt; !at.IsZero() {
		fields = append(fields, [3]string{"updated", at.UTC().Format(time.RFC3339Nano), ""})
	}
	for _, doubt := range a.Alert.Host.Doubts {
		fields = append(fields, [3]string{"doubt", doubt, ""})
	}
	fields = append(fields, would(a))
	for _, f := range fields {
		if err := p.Field(f[0], f[1], f[2]); err != nil {
			return err
		}
	}
	if err := p.Title("Values"); err != nil {
		return err
	}
	if err := p.Table([]string{"FIELD", "VALUE", "FROM"}, valueRows(reflect.ValueOf(a.Alert), "")); err != nil {
		return err
	}
	return showTriggers(p, a)
}

// would is what the alert would start.
func would(a api.PreviewedAlert) [3]string {
	firing := a.Alert.Status == incident.Firing
	switch {
	case firing && a.Playbook == "":
		return [3]string{"would", "open case " + a.Case + ", or join it: no playbook takes it, and people are told", ""}
	case firing:
		return [3]string{"would", "open case " + a.Case + ", or join it", "playbook " + a.Playbook}
	case a.Case == "":
		return [3]string{"would", "be recorded, and start nothing", ""}
	}
	return [3]string{"would", "be recorded, and start nothing", "case " + a.Case + " is told where it is open"}
}

func showTriggers(p *term.Printer, a api.PreviewedAlert) error {
	if len(a.Triggers) == 0 {
		return nil
	}
	if err := p.Title("Playbooks"); err != nil {
		return err
	}
	role := "takes it, "
	if a.Alert.Status != incident.Firing {
		role = "would take it if it fired, "
	}
	for _, t := range a.Triggers {
		text := t.Holds + ": " + t.Match
		if t.Playbook == a.Playbook {
			text = role + text
		}
		if err := p.Field(t.Playbook, text, or(t.Error, strings.Join(t.Missing, "; "))); err != nil {
			return err
		}
	}
	return nil
}

// valueRows are the values below a struct, each with where it is from, or why it is not
// known.
func valueRows(v reflect.Value, at string) [][]string {
	var rows [][]string
	for f, value := range v.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		path := alerts.Join(at, name)
		if field, ok := value.Interface().(incident.Field); ok {
			rows = append(rows, valueRow(path, field, f.Tag.Get("unit")))
		} else if value.Kind() == reflect.Struct && name != "received_at" && name != "updated_at" {
			rows = append(rows, valueRows(value, path)...)
		}
	}
	return rows
}

func valueRow(path string, field incident.Field, unit string) []string {
	value, from, why := field.Any()
	if from == incident.Unknown {
		return []string{path, "unknown", why}
	}
	text := fmt.Sprint(value)
	switch v := value.(type) {
	case time.Time:
		text = v.UTC().Format(time.RFC3339Nano)
	case time.Duration:
		text = incident.FormatDuration(v)
	case []string:
		text = strings.Join(v, ", ")
	case int64:
		if unit == "size" {
			text += " (" + incident.FormatSize(v) + ")"
		}
	}
	return []string{path, text, wording.From(from)}
}
