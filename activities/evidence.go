package activities

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/evidence"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Evidence writes the bundle of a closed case and returns its folder.
var Evidence = Ref[EvidenceIn, string]{"evidence"}

// EvidenceIn is the case and the playbook that it ran.
type EvidenceIn struct {
	Case incident.Case `json:"case"`
	Pin  Pin           `json:"pin"`
}

// evidence moves what was collected into the bundle, which keeps it: a repeat
// finds it there.
func (a *Activities) evidence(ctx context.Context, in EvidenceIn) (string, error) {
	if a.EvidenceDir == "" {
		return "", nil
	}
	collected := a.collectedDir(in.Case.Run)
	artifacts, err := readCollected(collected)
	if err != nil {
		return "", err
	}
	bundle, err := evidence.Write(ctx, a.EvidenceDir, in.Case, evidence.Options{Playbook: in.Pin.Text, Artifacts: artifacts})
	if err != nil {
		return "", err
	}
	if err := os.RemoveAll(collected); err != nil {
		return "", fmt.Errorf("clear away what was collected: %w", err)
	}
	return bundle.Dir, nil
}

func readCollected(dir string) (map[string][]byte, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the collected evidence: %w", err)
	}
	artifacts := map[string][]byte{}
	for _, e := range entries {
		// A file that was being written when the worker died is none.
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the collected evidence: %w", err)
		}
		artifacts[e.Name()] = data
	}
	return artifacts, nil
}
