package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowlog"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// Log is a log that is followed: what is appended to its files is added to the store.
type Log struct {
	Path     string            `yaml:"path,required" path:"" doc:"A file, a folder with all that is below it, or a pattern such as /var/log/fw/*.log. Rotated files, renamed or packed, are the same ones."`
	Format   string            `yaml:"format" doc:"The format, one of [these](../integrations/egress-logs.md); none: recognised by the beginning of each file."`
	Layout   string            `yaml:"layout" doc:"The order of the fields, in the product's own words, where it lets people choose and the files do not begin with it."`
	Map      string            `yaml:"map" path:"" doc:"The file of the mapping, for a log that no format is for."`
	Zone     integrations.Zone `yaml:"zone" doc:"The time zone of times that are written without one, such as America/New_York."`
	Sensor   string            `yaml:"sensor" doc:"The name of the sensor of records without one. Two sensors that see the same traffic have different names."`
	Sampling int64             `yaml:"sampling" doc:"The sampling rate, one packet in n, of records that do not say theirs; none: their volume is unknown."`
}

// mappedFormat is the format of logs with a mapping.
const mappedFormat = "mapping"

// Check implements [integrations.Checker].
func (c *Config) Check() error {
	for i, l := range c.Logs {
		if err := l.Check(); err != nil {
			return fmt.Errorf("logs[%d]: %w", i, err)
		}
	}
	return nil
}

// Check returns what is wrong with the log's settings, if anything.
func (l Log) Check() error {
	if l.Path == "" {
		return errors.New("path is empty")
	}
	if _, err := filepath.Match(l.Path, ""); err != nil {
		return fmt.Errorf("path %q: %w", l.Path, err)
	}
	if l.Sampling < 0 || l.Sampling > flowmath.MaxSampling {
		return fmt.Errorf("sampling must be between 1 and %d", flowmath.MaxSampling)
	}
	if l.Map != "" && l.Format != "" && l.Format != mappedFormat {
		return fmt.Errorf("map is of the format %s, not of %s", mappedFormat, l.Format)
	}
	o, err := l.options("")
	if err != nil || l.Map != "" {
		return err // The mapping is read when the store is opened.
	}
	return o.Log.Check()
}

// Options are those of the import of one file of the log.
func (l Log) Options(file string) (ImportOptions, error) {
	o, err := l.options(file)
	if err != nil || l.Map == "" {
		return o, err
	}
	o.Log.Format = mappedFormat
	o.Log.Map, err = flowlog.LoadMapping(l.Map)
	return o, err
}

func (l Log) options(file string) (ImportOptions, error) {
	o := ImportOptions{Name: file, Sensor: l.Sensor, Sampling: l.Sampling, Log: flowlog.Options{Format: l.Format, Layout: l.Layout}}
	if l.Zone == "" {
		return o, nil
	}
	zone, err := l.Zone.Location()
	o.Log.Zone = zone
	return o, err
}

// files lists the files of the log that are there now.
func (l Log) files() ([]string, error) {
	matches, err := filepath.Glob(l.Path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, at := range matches {
		err := filepath.WalkDir(at, func(path string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist): // It went while it was looked at.
				return nil
			case err != nil:
				return err
			case !d.IsDir():
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// probeLogs says of each log that is followed whether there are files that can be read.
func (s *Store) probeLogs() []integrations.Finding {
	var found []integrations.Finding
	for _, l := range s.logs {
		about := fmt.Sprintf("the log %q", l.Path)
		files, err := l.files()
		if err == nil && len(files) > 0 {
			err = readable(files[len(files)-1])
		}
		switch {
		case err != nil:
			found = append(found, integrations.Finding{What: fmt.Sprintf("%s: %v", about, err), Fix: "let the account of stanch read it"})
		case len(files) == 0:
			found = append(found, integrations.Finding{
				What: about + " has no file here", OK: true, Warning: true,
				Fix: "check the path, and that the log is written on the machine of this worker",
			})
		default:
			found = append(found, integrations.Finding{What: fmt.Sprintf("%s has %d files", about, len(files)), OK: true})
		}
	}
	return found
}

func readable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}
