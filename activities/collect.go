package activities

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Collect takes evidence of a device before a containment destroys it.
var Collect = Ref[CollectIn, CollectOut]{"collect"}

// CollectIn says what to take.
type CollectIn struct {
	Use    string          `json:"use"`
	Run    string          `json:"run"`
	Step   string          `json:"step"`
	Target incident.Target `json:"target"`
	What   []string        `json:"what"`
}

// CollectOut says what was taken. The evidence itself is in the evidence
// folder: it may be large, and history is no place for it.
type CollectOut struct {
	Artifacts []Collected `json:"artifacts"`
}

// Collected is one artifact.
type Collected struct {
	What   string `json:"what"`
	Size   int    `json:"size"`
	Digest string `json:"digest"`
}

// Summary is one phrase for the timeline.
func (o CollectOut) Summary() string {
	parts := make([]string, 0, len(o.Artifacts))
	for _, a := range o.Artifacts {
		parts = append(parts, fmt.Sprintf("%s (%s)", a.What, incident.FormatSize(int64(a.Size))))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// maxArtifact bounds one artifact; a product that sends more is cut off.
const maxArtifact = 32 << 20

func (a *Activities) collect(ctx context.Context, in CollectIn) (CollectOut, error) {
	collector, err := use[integrations.Collector](a, in.Use)
	if err != nil {
		return CollectOut{}, err
	}
	artifacts, err := collector.Collect(ctx, integrations.CollectOrder{
		Key: in.Run + "/" + in.Step, Target: in.Target, What: in.What,
	})
	if err != nil {
		return CollectOut{}, err
	}
	dir := a.collectedDir(in.Run)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return CollectOut{}, fmt.Errorf("make the folder for evidence: %w", err)
	}
	var out CollectOut
	for i, artifact := range artifacts {
		if len(artifact.Data) > maxArtifact {
			return CollectOut{}, integrations.Errorf(integrations.Invalid, "collect "+artifact.What, "%d bytes are more than are kept", len(artifact.Data))
		}
		name := fmt.Sprintf("%s-%02d.json", fileName(in.Step), i)
		if err := writeFile(filepath.Join(dir, name), artifact.Data); err != nil {
			return CollectOut{}, err
		}
		out.Artifacts = append(out.Artifacts, Collected{
			What: artifact.What, Size: len(artifact.Data), Digest: incident.DigestOf(artifact.Data),
		})
	}
	return out, nil
}

// collectedDir is where a case's artifacts wait for its bundle.
func (a *Activities) collectedDir(run string) string {
	return filepath.Join(a.EvidenceDir, ".collected", fileName(run))
}

// fileName keeps only what is safe in a file's name.
func fileName(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			return c
		}
		return '_'
	}, s)
}

// writeFile writes a whole file or none.
func writeFile(path string, data []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".writing-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	if _, err := temp.Write(data); err != nil {
		_ = temp.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := temp.Close(); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
