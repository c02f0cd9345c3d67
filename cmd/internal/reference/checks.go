package reference

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
)

// What stands between these in a document is of a run of the tests, and not of the
// code.
const (
	beginChecks = "<!-- from a run of the tests -->\n"
	endChecks   = "<!-- end of the run -->\n"
)

// WithChecks returns the document with the part that a run of the tests has given.
func WithChecks(document, checks []byte) ([]byte, error) {
	before, _, after, err := cutChecks(document)
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{before, []byte(beginChecks), checks, []byte(endChecks), after}, nil), nil
}

// KeepChecks returns what was generated of a document, with the part of a run that
// the document has.
func KeepChecks(generated, document []byte) []byte {
	_, checks, _, err := cutChecks(document)
	if err != nil {
		return generated
	}
	kept, err := WithChecks(generated, checks)
	if err != nil {
		return generated
	}
	return kept
}

func cutChecks(document []byte) (before, checks, after []byte, err error) {
	before, rest, begins := bytes.Cut(document, []byte(beginChecks))
	checks, after, ends := bytes.Cut(rest, []byte(endChecks))
	if !begins || !ends {
		return nil, nil, nil, errors.New("the document has no part for what a run of the tests gives")
	}
	return before, checks, after, nil
}

// checksReference introduces the part of a run.
func checksReference() string {
	var b strings.Builder
	b.WriteString(`
## Contract

A capability is an interface of package ` + "`integrations`" + `, and has a suite of checks in ` + "`integrations/contract`" + `: what was ordered is in
force, once; what is not ours is left alone; a lost answer is resolved; nothing is guessed. Every kind passes those of what it has, against
its product on this machine or a double of it. The numbers are how many checks passed, of how many where some do not apply; a cell is
empty where the kind does not have it. They are from the last run that was compared, and ` + "`.ci/run`" + ` fails when they are not of its own.
The last columns are of no one capability: what EDRs do with credentials that are wrong or run out, and with faults of the network and of the
product; the orders in which their actions complete; and targets that are none, or more than one. These capabilities have no suite:

`)
	for _, c := range integrations.Capabilities() {
		if c.Unchecked != "" {
			fmt.Fprintf(&b, "- %s: %s.\n", c.Name, c.Unchecked)
		}
	}
	return b.String() + "\n" + beginChecks + endChecks
}
