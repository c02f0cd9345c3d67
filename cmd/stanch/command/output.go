package command

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/playbooks"
)

// The forms of an answer: for people, and the same data twice for programs.
const (
	asTable = "table"
	asJSON  = "json"
	asYAML  = "yaml"
)

// choiceFlag is a flag that takes one of a few words. Any other is refused when
// the flags are read.
type choiceFlag struct {
	value   string
	choices []string
}

func (f *choiceFlag) String() string { return f.value }

// Type is what the usage shows for the value.
func (f *choiceFlag) Type() string { return strings.Join(f.choices, "|") }

// Set takes one of the choices.
func (f *choiceFlag) Set(value string) error {
	for _, c := range f.choices {
		if value == c {
			f.value = value
			return nil
		}
	}
	return fmt.Errorf("must be one of %s", strings.Join(f.choices, ", "))
}

// outputFlag is the --output of a command that answers with data.
type outputFlag struct{ choiceFlag }

// addTo gives the command the flag --output, -o.
func (f *outputFlag) addTo(c *cobra.Command) {
	f.value, f.choices = asTable, []string{asTable, asJSON, asYAML}
	c.Flags().VarP(f, "output", "o", "form of the answer")
}

// print writes the answer v to the command's output, or has table show it to
// people. The keys of JSON and YAML are v's JSON tags.
func (f *outputFlag) print(s streams, v any, table func(*term.Printer) error) error {
	switch f.value {
	case asJSON:
		e := json.NewEncoder(s.out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(v); err != nil {
			return fmt.Errorf("write the answer: %w", err)
		}
		return nil
	case asYAML:
		data, err := playbooks.EncodeYAML(v)
		if err != nil {
			return err
		}
		return s.write(data)
	default:
		return table(s.printer())
	}
}

// printer writes text for people to the command's output.
func (s streams) printer() *term.Printer { return term.New(s.out, term.Detect(s.out, os.Getenv)) }

func (s streams) write(data []byte) error {
	if _, err := s.out.Write(data); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
