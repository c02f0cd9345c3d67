package repocheck

import (
	"slices"
	"strconv"
	"strings"
)

// layers are the folders in the order in which imports may go: each may import
// itself and those before it.
func layers() []string {
	return []string{"playbooks", "integrations", "activities", "workflows", "cmd"}
}

// ban forbids imports to some packages. A pattern is a path, or a path and
// "/..." for it and everything below; "..." is every package.
type ban struct {
	in      []string
	except  []string
	imports []string
	// tests reports whether the ban holds for tests too.
	tests bool
	why   string
}

func bans(module string) []ban {
	everywhere := []string{"..."}
	return []ban{{
		in:      []string{"workflows"},
		imports: []string{"os/...", "net", "net/http/...", "math/rand/...", "crypto/rand", "sync/...", "github.com/google/uuid", "github.com/google/cel-go/..."},
		why:     "a workflow is replayed: it must do the same every time, so it has no I/O, chance, locks or policy of its own",
	}, {
		in:      everywhere,
		except:  []string{"cmd/internal/embedded/..."},
		imports: []string{"go.temporal.io/server/..."},
		tests:   true,
		why:     "the embedded engine is heavy and left out by a build tag, so one package holds it",
	}, {
		in:      everywhere,
		except:  []string{"playbooks"},
		imports: []string{"go.yaml.in/yaml/...", "gopkg.in/yaml.v2", "gopkg.in/yaml.v3", "sigs.k8s.io/yaml/..."},
		why:     "one strict loader reads all YAML, so that every complaint has line and column",
	}, {
		in:      everywhere,
		except:  []string{"playbooks/policy"},
		imports: []string{"github.com/google/cel-go/...", "cel.dev/..."},
		tests:   true,
		why:     "CEL is behind one package, so that a new version affects one package only",
	}, {
		in:      everywhere,
		except:  []string{"cmd/...", "integrations/all"},
		imports: []string{module + "/integrations/all"},
		why:     "only the command knows which integrations exist; all others use capabilities",
	}}
}

// Imports checks the imports between packages.
func Imports(t *Tree) []Complaint {
	var found []Complaint
	forbidden := bans(t.Module)
	for _, f := range t.Go {
		for _, spec := range f.AST.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue
			}
			for _, why := range t.objections(f, imported, forbidden) {
				found = append(found, t.at(f, spec.Pos(), "%s must not import %q: %s", f.Dir, imported, why))
			}
		}
	}
	return found
}

func (t *Tree) objections(f GoFile, imported string, forbidden []ban) []string {
	var why []string
	for _, b := range forbidden {
		if f.Test && !b.tests {
			continue
		}
		if matches(f.Dir, b.in) && !matches(f.Dir, b.except) && matches(imported, b.imports) {
			why = append(why, b.why)
		}
	}
	ours, inModule := strings.CutPrefix(imported, t.Module+"/")
	if f.Test {
		return why
	}
	if f.Dir == "playbooks/incident" && strings.Contains(strings.Split(imported, "/")[0], ".") {
		why = append(why, "the nouns depend on the standard library alone")
	}
	if !inModule {
		return why
	}
	if layer(ours) > layer(f.Dir) {
		why = append(why, "imports go one way, cmd → workflows → activities → integrations → playbooks")
	}
	if v := vendor(f.Dir); v != "" && v != vendor(ours) && !matches(ours, []string{"integrations", "integrations/alerts", "integrations/apispec", "integrations/edrtest", "integrations/edrtest/kql", "integrations/entra", "integrations/flowmath", "integrations/flowlog", "integrations/httpx", "playbooks", "playbooks/incident", "playbooks/policy", "playbooks/traffic", "playbooks/evidence/wording"}) {
		why = append(why, "an integration knows the capabilities, the HTTP client and the nouns, and no other integration")
	}
	if vendor(ours) != "" && vendor(f.Dir) == "" && f.Dir != "integrations/all" && layer(f.Dir) != layer("cmd") {
		why = append(why, "only the command and tests know a vendor; all others use capabilities")
	}
	return why
}

// vendor returns the name of the integration to whose folder a package belongs,
// or nothing.
func vendor(dir string) string {
	rest, ok := strings.CutPrefix(dir, "integrations/")
	name, _, _ := strings.Cut(rest, "/")
	if !ok || slices.Contains([]string{"alerts", "all", "apispec", "contract", "edrtest", "entra", "flowlog", "flowmath", "httpx", "servertest"}, name) {
		return ""
	}
	return name
}

func layer(dir string) int {
	top, _, _ := strings.Cut(dir, "/")
	return slices.Index(layers(), top)
}

func matches(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if p == "..." {
			return true
		}
		root, below := strings.CutSuffix(p, "/...")
		return name == root || below && strings.HasPrefix(name, root+"/")
	})
}
