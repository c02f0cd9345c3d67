package config

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks"
)

// mapped is the Spec of a source: that of its kind, or the one that the file makes that
// the source names.
func (c *Config) mapped(name string, source Source, spec alerts.Spec, node playbooks.Node) (alerts.Spec, playbooks.Issues) {
	at := node.Get("map")
	switch {
	case spec.Kind == "": // That there is no such kind was said.
		return spec, nil
	case spec.Map == nil && !at.IsZero():
		return spec, playbooks.Issues{node.KeyIssue("map", "source %s: the kind %s reads no map", name, spec.Kind)}
	case spec.Map == nil:
		return spec, nil
	case source.Map == "":
		return spec, playbooks.Issues{node.Issue("source %s: the kind %s needs map, the file that says where the values of an alert stand", name, spec.Kind)}
	}
	path := c.Path(source.Map)
	data, err := readBounded(path)
	if errors.Is(err, fs.ErrNotExist) {
		return spec, playbooks.Issues{at.Issue("source %s: there is no file %s", name, at.Quoted())}
	}
	if err != nil {
		return spec, playbooks.Issues{at.Issue("source %s: read its map: %v", name, err)}
	}
	made, err := spec.Map(path, data)
	if issues, ok := errors.AsType[playbooks.Issues](err); ok {
		return spec, issues
	}
	if err != nil {
		return spec, playbooks.Issues{at.Issue("source %s: %v", name, err)}
	}
	return made, nil
}

// readBounded reads a file that is no larger than any that the loader takes, and a byte
// more of a larger one, so that the loader refuses it.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, playbooks.MaxFile+1))
}
