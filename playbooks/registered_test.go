package playbooks_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// keysOf are the keys of a with, by their yaml tags.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		keys = append(keys, key)
	}
	return keys
}

// unlike returns a problem for each key that only one side knows.
func unlike(what string, registered, keys []string) []string {
	var problems []string
	for _, key := range registered {
		if !slices.Contains(keys, key) {
			problems = append(problems, fmt.Sprintf("with %s is registered, and %s has no such key (playbooks/playbook.go)", key, what))
		}
	}
	for _, key := range keys {
		if !slices.Contains(registered, key) {
			problems = append(problems, fmt.Sprintf("nothing that is registered takes with %s of %s (playbooks/incident)", key, what))
		}
	}
	return problems
}

func TestEveryKeyOfWithIsRegistered(t *testing.T) {
	var settings, parameters []string
	for _, f := range incident.FactSpecs() {
		settings = append(settings, f.With...)
	}
	for _, a := range incident.ActionSpecs() {
		if a.With != "" {
			parameters = append(parameters, a.With)
		}
	}
	enrichment, step := keysOf(reflect.TypeFor[playbooks.EnrichmentWith]()), keysOf(reflect.TypeFor[playbooks.StepWith]())
	for _, problem := range append(unlike("EnrichmentWith", settings, enrichment), unlike("StepWith", parameters, step)...) {
		t.Error(problem)
	}
	if len(unlike("EnrichmentWith", append(settings, "vendor"), enrichment)) != 1 || len(unlike("StepWith", parameters[1:], step)) != 1 {
		t.Error("a key that only one side knows is not found")
	}
}

// enriching is a playbook with one enrichment.
func enriching(fact, with string) string {
	return `apiVersion: stanch/v1
kind: Playbook
name: p
owner: soc
mode: shadow
description: d
trigger: { match: alert.category == 'high_egress', subject: alert.host.name }
enrich:
  ` + fact + `: { use: x` + with + ` }
unsure: ask
decide:
  - { rule: nothing, severity: info, because: b, do: [] }
approvals:
  ask: { ask: { chat: '#soc' }, approvers: { people: [alice] }, expire_after: 1h }
`
}

func TestEverySettingHasADefaultAndBounds(t *testing.T) {
	for _, f := range incident.FactSpecs() {
		p, err := playbooks.Load("playbook.yaml", []byte(enriching(f.Name, "")))
		if err != nil {
			t.Fatalf("a playbook that enriches %s: %v", f.Name, err)
		}
		with := reflect.ValueOf(p.Enrich[f.Name].With)
		for i, key := range keysOf(with.Type()) {
			takes := slices.Contains(f.With, key)
			if takes == with.Field(i).IsZero() {
				t.Errorf("fact %s takes %s: %t; its default is %v (playbooks/registered.go)", f.Name, key, takes, with.Field(i))
			}
			value := "1000000"
			if key == "window" {
				value = "1000h"
			}
			_, err := playbooks.Load("playbook.yaml", []byte(enriching(f.Name, ", with: { "+key+": "+value+" }")))
			if want := key + " must be between"; takes && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("fact %s with %s: %s: %v, want %q (playbooks/registered.go)", f.Name, key, value, err, want)
			} else if !takes && (err == nil || !strings.Contains(err.Error(), fmt.Sprintf("unknown key %q", key))) {
				t.Errorf("fact %s does not take %s, and the complaint is %v", f.Name, key, err)
			}
		}
	}
}

// TestTheReferenceNamesWhatIsRegistered finds a registration that the documents
// leave out.
func TestTheReferenceNamesWhatIsRegistered(t *testing.T) {
	reference := playbooks.Reference()
	for _, f := range incident.FactSpecs() {
		if !strings.Contains(reference, "| `"+f.Name+"` | "+f.Doc) {
			t.Errorf("fact %s is in no table of the reference", f.Name)
		}
	}
	for _, a := range incident.ActionSpecs() {
		if !strings.Contains(reference, "| `"+string(a.Action)+"` | "+a.Doc) {
			t.Errorf("action %s is in no table of the reference", a.Action)
		}
	}
	for _, placeholder := range []string{"{leased}", "{reversible}", "{with}"} {
		if strings.Contains(reference, placeholder) {
			t.Errorf("%s was not replaced", placeholder)
		}
	}
}
