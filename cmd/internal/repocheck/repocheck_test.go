package repocheck_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/repocheck"
)

// fewest are the packages that the tree had at least when the number was last
// raised: a rule that sees fewer looks at the wrong folder.
const fewest = 8

func rules() map[string]func(*repocheck.Tree) []repocheck.Complaint {
	return map[string]func(*repocheck.Tree) []repocheck.Complaint{
		"imports":         repocheck.Imports,
		"npm":             repocheck.Npm,
		"package_comment": repocheck.PackageComments,
		"file_size":       repocheck.FileSizes,
		"closed_sets":     repocheck.ClosedSets,
		"code":            repocheck.Code,
		"doubles":         repocheck.Doubles,
		"kinds":           repocheck.Kinds,
		"sleeps":          repocheck.Sleeps,
		"skips":           repocheck.Skips,
		"modules":         repocheck.Modules,
		"words":           repocheck.Words,
		"layout":          repocheck.Layout,
		"paths":           repocheck.Paths,
	}
}

func readRepository(t *testing.T) *repocheck.Tree {
	t.Helper()
	tree, err := repocheck.Read(os.DirFS("../../.."))
	if err != nil {
		t.Fatal(err)
	}
	if tree.Module != "github.com/stanch-soar/stanch" {
		t.Fatalf("read module %s: this is not the repository", tree.Module)
	}
	return tree
}

func TestTheRepositoryKeepsItsRules(t *testing.T) {
	tree := readRepository(t)
	if n := len(tree.Packages()); n < fewest {
		t.Fatalf("saw %d packages, at least %d expected: %q", n, fewest, tree.Packages())
	}
	for name, rule := range rules() {
		t.Run(name, func(t *testing.T) {
			for _, c := range rule(tree) {
				t.Error(c)
			}
		})
	}
}

// TestEveryCommandInTheDocumentsIsListed keeps testdata/commands.txt complete:
// each line says how a command is known to work, and the command.
func TestEveryCommandInTheDocumentsIsListed(t *testing.T) {
	list, err := os.ReadFile("testdata/commands.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		how, command, ok := strings.Cut(line, "  ")
		if !ok || how != "script" && how != "ci" && how != "hand" {
			t.Errorf("testdata/commands.txt: %q: want script, ci or hand, two spaces, and the command", line)
		}
		listed[strings.TrimSpace(command)] = false
	}
	tree := readRepository(t)
	for file, text := range tree.Text {
		if file != "README.md" && !strings.HasPrefix(file, "docs/") || !strings.HasSuffix(file, ".md") {
			continue
		}
		for _, c := range repocheck.Commands(text) {
			if _, ok := listed[c.Name()]; !ok {
				t.Errorf("%s:%d: %q is not in testdata/commands.txt", file, c.Line, c.Name())
			}
			listed[c.Name()] = true
		}
	}
	for command, used := range listed {
		if !used {
			t.Errorf("testdata/commands.txt: no document has the command %q", command)
		}
	}
}

func TestTheReadmeNamesTheTestCommand(t *testing.T) {
	for _, c := range repocheck.Commands(readRepository(t).Text["README.md"]) {
		if c.Text == "go test ./..." {
			return
		}
	}
	t.Error("README.md has no block of sh with go test ./...")
}

func TestTheImage(t *testing.T) {
	tree := readRepository(t)
	dockerfile := string(tree.Text["cmd/stanch/Dockerfile"])
	var version string
	for line := range strings.Lines(string(tree.Text["go.mod"])) {
		if v, ok := strings.CutPrefix(line, "go "); ok {
			version = strings.TrimSpace(v)
		}
	}
	_, image, _ := strings.Cut(dockerfile, "\nFROM scratch\n")
	for what, ok := range map[string]bool{
		"builds with the module's Go":          version != "" && strings.Contains(dockerfile, "\nFROM golang:"+version+"-"),
		"leaves the embedded engine out":       strings.Contains(dockerfile, "-tags no_embedded"),
		"starts from nothing":                  image != "",
		"runs as the deployment's user":        strings.Contains(image, "\nUSER 65532:65532\n"),
		"copies only what the build has made":  strings.Count(image, "COPY --from=build") == strings.Count(image, "COPY"),
		"does not run anything in what ships":  image != "" && !strings.Contains(image, "RUN "),
		"fetches nothing but Go modules":       !strings.Contains(dockerfile, "curl") && !strings.Contains(dockerfile, "ADD "),
		"has a user that the deployment names": strings.Contains(string(tree.Text["docker-compose.yml"]), `user: "65532:65532"`),
		"is what the deployment builds":        strings.Contains(string(tree.Text["docker-compose.yml"]), "dockerfile: cmd/stanch/Dockerfile"),
	} {
		if !ok {
			t.Errorf("cmd/stanch/Dockerfile: it must hold that the image %s", what)
		}
	}
}
