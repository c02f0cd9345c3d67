package playbooks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// setting is one key of an enrichment's with. The registration of a fact lists
// the keys that it takes.
type setting struct {
	key string
	// setDefault fills it in where the playbook leaves it out, check reports a
	// value outside its bounds.
	setDefault func(*EnrichmentWith)
	check      func(l lint, with EnrichmentWith, fact string)
}

// settings are all keys of [EnrichmentWith], with their defaults and bounds.
func settings() []setting {
	return []setting{
		settingOf("window", func(w *EnrichmentWith) *time.Duration { return &w.Window }, 15*time.Minute, time.Minute, maxWindow),
		settingOf("top", func(w *EnrichmentWith) *int { return &w.Top }, 20, 1, 100),
		settingOf("days", func(w *EnrichmentWith) *int { return &w.Days }, 14, 1, 90),
	}
}

func settingOf[T time.Duration | int](key string, of func(*EnrichmentWith) *T, standard, low, high T) setting {
	return setting{
		key:        key,
		setDefault: func(w *EnrichmentWith) { setDefault(of(w), standard) },
		check: func(l lint, w EnrichmentWith, fact string) {
			between(l, *of(&w), low, high, "enrich", fact, "with", key)
		},
	}
}

// docOf puts the registered actions and facts into the doc tag of a key: {leased}
// and {reversible} are those actions, {with} the actions or facts that take the
// key.
func docOf(key, doc string) string {
	if !strings.Contains(doc, "{") {
		return doc
	}
	takers := texts(incident.ActionsWhere(func(a incident.Action) bool { return a.Spec().Takes(key) }))
	for _, f := range incident.FactSpecs() {
		if slices.Contains(f.With, key) {
			takers = append(takers, f.Name)
		}
	}
	return strings.NewReplacer(
		"{leased}", namedActions(incident.Action.Leased), "{reversible}", namedActions(incident.Action.Reversible), "{with}", listed(takers),
	).Replace(doc)
}

func namedActions(holds func(incident.Action) bool) string {
	return listed(texts(incident.ActionsWhere(holds)))
}

func texts[T ~string](list []T) []string {
	out := make([]string, 0, len(list))
	for _, t := range list {
		out = append(out, string(t))
	}
	return out
}

// listed joins names for people: a, b and c.
func listed(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// registered writes the tables of facts and actions for the reference.
func registered(b *strings.Builder) {
	b.WriteString("\n## Facts\n\nThe keys of `enrich`. What each holds is in [policy.md](policy.md).\n\n" +
		"| fact | says | asked of | must be known before | with |\n|---|---|---|---|---|\n")
	for _, f := range incident.FactSpecs() {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", f.Name, f.Doc, f.By, f.Needs, quoted(f.With))
	}
	b.WriteString("\n## Actions\n\nMildest first.\n\n" +
		"| action | does | carried out by | needs the facts | with | may act unsure | afterwards |\n|---|---|---|---|---|---|---|\n")
	for _, a := range incident.ActionSpecs() {
		var needs, with []string
		for _, n := range a.Needs {
			needs = append(needs, n.Fact)
		}
		if a.With != "" {
			with = []string{a.With}
		}
		with = append(with, a.May...)
		unsure := ""
		if a.ActsUnsure {
			unsure = "yes"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s | %s |\n", a.Action, a.Doc, a.By, quoted(needs), quoted(with), unsure, a.Undone)
	}
}

func quoted(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "`" + strings.Join(names, "`, `") + "`"
}
