package command

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/reference"
	"github.com/stanch-soar/stanch/cmd/internal/repocheck"
	"github.com/stanch-soar/stanch/integrations/all"
	inventory "github.com/stanch-soar/stanch/integrations/file"
	"github.com/stanch-soar/stanch/integrations/mapping"
	"github.com/stanch-soar/stanch/playbooks"
)

const root = "../../.."

func repository(t *testing.T) *repocheck.Tree {
	t.Helper()
	tree, err := repocheck.Read(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestTheDocumentsAreWhatTheCodeSays(t *testing.T) {
	files, err := Documents(New(streams{}))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 14 {
		t.Errorf("%d documents are generated, want 14: %q", len(files), slices.Sorted(maps.Keys(files)))
	}
	inDocs := map[string][]byte{}
	for name, text := range files {
		have, err := os.ReadFile(filepath.Join(root, "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		inDocs["docs/"+name] = reference.KeepChecks(text, have)
	}
	for _, c := range repocheck.Generated(repository(t), inDocs) {
		t.Error(c)
	}
	// A document of the reference that is not generated goes stale.
	entries, err := os.ReadDir(root + "/docs/reference")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := files["reference/"+e.Name()]; !ok {
			t.Errorf("docs/reference/%s is not generated", e.Name())
		}
	}
}

func TestDocsWritesOnlyWhatChanged(t *testing.T) {
	dir := t.TempDir()
	docs := func() string {
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"docs", "--dir", dir}, streams{nil, &out, &errs}); code != exitOK || errs.Len() > 0 {
			t.Fatalf("exit code %d: %s", code, &errs)
		}
		return out.String()
	}
	if n := strings.Count(docs(), "\n"); n != 14 {
		t.Errorf("the first time %d files were written, want 14", n)
	}
	if again := docs(); again != "" {
		t.Errorf("the second time %q were written, want none", again)
	}
	policy := filepath.Join(dir, "reference", "policy.md")
	if err := os.WriteFile(policy, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if again := docs(); again != policy+"\n" {
		t.Errorf("%q were written, want only the changed one", again)
	}
}

// What a run of the tests gave is not of the code: it stays.
func TestDocsKeepsTheChecks(t *testing.T) {
	dir := t.TempDir()
	docs := func() string {
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"docs", "--dir", dir}, streams{nil, &out, &errs}); code != exitOK {
			t.Fatalf("exit code %d: %s", code, &errs)
		}
		return out.String()
	}
	docs()
	page := filepath.Join(dir, "reference", "integrations.md")
	fresh, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	checked, err := reference.WithChecks(fresh, []byte("| file | 7 |\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, have := range map[string][]byte{"nothing else changed": checked, "the rest is old": append([]byte("old\n"), checked...)} {
		if err := os.WriteFile(page, have, 0o600); err != nil {
			t.Fatal(err)
		}
		docs()
		if got, err := os.ReadFile(page); err != nil || !bytes.Equal(got, checked) {
			t.Errorf("%s: error %v, and the page is not the generated one with the table of the run", name, err)
		}
	}
}

// TestEveryCommandShowsHowItIsUsed parses every example with the command's own
// flags and arguments.
func TestEveryCommandShowsHowItIsUsed(t *testing.T) {
	examples := 0
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Short == "" || c.Example == "" && !c.HasSubCommands() && !c.Hidden {
			t.Errorf("%s does not say what it is for, or shows no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			examples++
			if err := parses(line); err != nil {
				t.Errorf("%s: %q: %v", c.CommandPath(), strings.TrimSpace(line), err)
			}
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(New(streams{}))
	if examples < 10 {
		t.Errorf("%d examples were parsed, want 10 or more", examples)
	}
}

func parses(line string) error {
	line, _, _ = strings.Cut(line, " > ")
	if _, piped, ok := strings.Cut(line, " | "); ok {
		line = piped
	}
	line = strings.TrimPrefix(strings.TrimSpace(line), "sudo ")
	var args []string
	for _, word := range regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`).FindAllString(line, -1) {
		args = append(args, strings.Trim(word, `'"`))
	}
	if len(args) == 0 || args[0] != "stanch" {
		return fmt.Errorf("it does not begin with stanch")
	}
	c, rest, err := New(streams{}).Find(args[1:])
	if err != nil {
		return err
	}
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if err := c.ValidateRequiredFlags(); err != nil {
		return err
	}
	return c.ValidateArgs(c.Flags().Args())
}

func TestTheLibraryLints(t *testing.T) {
	files, err := findFiles([]string{theLibrary})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 6 {
		t.Errorf("the library has %d files, want 6 or more", len(files))
	}
	names := map[string]string{}
	for _, f := range files {
		issues, err := lintFile(f, nil, names)
		if err != nil || len(issues) > 0 {
			t.Errorf("%s: %v\n%v", f.path, err, issues)
		}
	}
}

// TestYAMLInTheDocumentsLints reads every block of YAML as what it is: a
// playbook, a mapping, a test file or a stanch.yaml. What is a file of another product has the
// language yml.
func TestYAMLInTheDocumentsLints(t *testing.T) {
	blocks, there := 0, filesOfDocuments(t)
	tree := repository(t)
	for _, file := range slices.Sorted(maps.Keys(tree.Text)) {
		if !strings.HasSuffix(file, ".md") {
			continue
		}
		fences, _ := repocheck.Fences(tree.Text[file])
		for _, f := range fences {
			if f.Lang != "yaml" {
				continue
			}
			blocks++
			for _, variable := range regexp.MustCompile(`\$\{env:(\w+)\}`).FindAllStringSubmatch(f.Text, -1) {
				t.Setenv(variable[1], "set")
			}
			if err := readsAsYAML(t, fmt.Sprintf("%s:%d", file, f.Line), []byte(there(f.Text))); err != nil {
				t.Errorf("%s:%d: the block does not read:\n%v", file, f.Line, err)
			}
		}
	}
	if least := len(all.Catalog().Integrations); blocks < least {
		t.Errorf("%d blocks of YAML were read, want %d or more: each integration has one", blocks, least)
	}
}

func readsAsYAML(t *testing.T, name string, text []byte) error {
	var block playbooks.Node
	if err := playbooks.DecodeStrict(name, text, &block).Err(); err != nil {
		return err
	}
	var err error
	switch keys := block.Keys(); {
	case slices.Contains(keys, "apiVersion"):
		_, err = playbooks.Load(name, text)
	case slices.Contains(keys, "ours"):
		_, err = mapping.Parse(name, text)
	case slices.Contains(keys, "map"):
		// It stands in the document as in its own folder, where it is run.
	case slices.Contains(keys, "cases"):
		_, err = playbooks.LoadTests(name, text)
	case slices.Contains(keys, "assets"):
		return readsAsInventory(t, text)
	case slices.Contains(keys, "approvals"):
		_, err = playbooks.Load(name, append([]byte(aroundApprovals), text...))
	case slices.Contains(keys, "steps"):
		around := fmt.Sprintf(aroundSteps, block.Get("steps").Keys()[0])
		_, err = playbooks.Load(name, append([]byte(around), text...))
	default:
		_, err = config.Parse(name, text, all.Catalog())
	}
	return err
}

func readsAsInventory(t *testing.T, text []byte) error {
	path := filepath.Join(t.TempDir(), "inventory.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return err
	}
	opened, err := inventory.New(path)
	if err != nil {
		return err
	}
	for _, f := range opened.Probe(t.Context()) {
		if !f.OK {
			return errors.New(f.What)
		}
	}
	return nil
}

// aroundApprovals is a playbook without its approvals, of which there must be
// one that is called on-call.
const aroundApprovals = `apiVersion: stanch/v1
kind: Playbook
name: example
owner: docs
mode: shadow
description: Stands around the approvals of a document.
trigger: { match: alert.category == 'x', subject: alert.host.id }
unsure: on-call
decide:
  - { rule: otherwise, severity: low, because: It is an example., do: [{ approve: on-call }, tell] }
steps:
  tell: { action: notify, use: slack, with: { channel: '#sec' } }
`

// aroundSteps is a playbook without its steps, of which it runs the one that is put in.
const aroundSteps = `apiVersion: stanch/v1
kind: Playbook
name: example
owner: docs
mode: shadow
description: Stands around the steps of a document.
trigger: { match: alert.category == 'x', subject: alert.host.id }
enrich:
  endpoint: { use: edr }
  traffic: { use: flows }
unsure: on-call
decide:
  - { rule: otherwise, severity: low, because: It is an example., do: [{ approve: on-call }, %s] }
approvals:
  on-call: { ask: { slack: '#sec' }, approvers: { people: [alice] }, expire_after: 15m }
`
