package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/all"
)

// What the pages of sources have people write into stanch.yaml is read as it stands there.
func TestThePagesOfSourcesCanBeRead(t *testing.T) {
	pages, err := filepath.Glob("../../../docs/integrations/*.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	secret := regexp.MustCompile(`(\w+)_file: [^ ,}\n]+`)
	tried := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range block.FindAllStringSubmatch(string(text), -1) {
			if !strings.HasPrefix(found[1], "sources:") && !strings.Contains(found[1], "\nsources:") {
				continue
			}
			tried++
			// What stands in a file is not there.
			if _, err := Parse("/etc/stanch/stanch.yaml", []byte(secret.ReplaceAllString(found[1], "$1: 0123456789abcdef0123456789abcdef")), all.Catalog()); err != nil {
				t.Errorf("%s: %v", filepath.Base(page), err)
			}
		}
	}
	if tried == 0 {
		t.Error("no page shows a source")
	}
}
